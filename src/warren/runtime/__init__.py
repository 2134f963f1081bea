"""The seam to the world: clock, chance, sockets, files, threads and databases.

`seam` names what the floors above may ask for, `real` answers from the operating system, `simulated` from
one seed in virtual time. Nothing above this floor touches a wall clock, random numbers, a socket or a file
directly.
"""
