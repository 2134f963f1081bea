"""Resources: what is said of shared files and folders, by the user or by the files themselves."""
