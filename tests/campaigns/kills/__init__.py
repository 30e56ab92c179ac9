"""Ends commands at any moment and in many ways, and looks at what they leave: ``python -m campaigns.kills``.

A job is a command line on tiny data. It first runs to its end, from which its files, its duration and the number of its
writes are known. Then it is ended, again and again, by signals, limits and full disks; after each end no file may be
torn or lost, and going on must lead to the same files, byte for byte.
"""
