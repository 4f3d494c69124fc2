"""The benchmark suite: entrepot beside its peers, in one run on one machine.

    make bench          every workload, three rounds; more than an hour
    make bench-quick    a short part of each, a minute or two

Its modules:

    workloads.py    the cases and their aims: start here
    contenders/     the measured libraries, a module each, all with the same verbs
    grounds.py      test data: files, objects, and nginx posing as S3
    child.py        the process that measures one contender at one case, once
    rounds.py       measures all contenders in turn, over several rounds
    report.py       medians, spreads and ratios as a Markdown table
    plot.py         the same as a picture
    services.py     each service beside its peers, by itself: make bench-services
    integrations.py zarr, fsspec and pyarrow over entrepot and over its peers: python -m benchmarks.integrations
    wire.py         HTTP/1.1 without a network, by itself: python -m benchmarks.wire

The machine's noise is the same in every figure, so compare the ratios, and the CPU time rather than the wall time.
These are not tests: a figure never causes a failure.
"""
