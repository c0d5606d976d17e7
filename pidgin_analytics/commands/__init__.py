"""The commands of ``pidgin-analytics``: options, messages and exits, and no more.

What they do is done by the modules of the package, which import none of these.
"""
