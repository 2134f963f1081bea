"""`warren demo`: the main job on this machine, from beginning to end, with nothing left behind."""
