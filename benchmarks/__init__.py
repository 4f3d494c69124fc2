"""The benchmark suite: what entrepot costs beside its peers, in one run on one machine.

    make bench          every workload, three rounds; the better part of an hour
    make bench-quick    a short part of each, a minute or two

It is made of few parts, each a module:

    workloads.py    what is measured, and what is aimed at: start here
    contenders/     who is measured, a module each: the same verbs for everyone
    grounds.py      what they work on: files, objects, and nginx posing as S3
    child.py        the process that measures one contender at one case, once
    rounds.py       has everyone measured in turn, over several rounds
    report.py       medians, spreads and ratios as a Markdown table
    plot.py         the same as a picture

The machine's noise is in every figure alike, so read the ratios, and the CPU time rather than the wall time. Nothing
here is a test: no figure makes anything fail.
"""
