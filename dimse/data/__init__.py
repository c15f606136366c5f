"""Values: what DICOM messages and files are made of. No sockets, no clocks, no threads.

    uids        UID, the transfer syntaxes and SOP classes by name
    status      Status and its categories (PS3.7 Annex C and the services of PS3.4)
    elements    walking, picking and encoding data elements (PS3.5 section 7)
    headers     where the value of an element ends, and how far a sequence reaches
    deflate     deflated data sets, inflated under limits
    frames      what a compressed frame says of its size
    commands    CommandSet, the messages of PS3.7 section 9.3 and 10.3, and their mandatory fields
    datasets    DataSet: encoded bytes and their transfer syntax, read lazily
    part10      the head of a file of PS3.10, both ways
    sources     where an instance to be sent comes from: a file or memory; `find_files`
    protocols   Source and Reading: what whoever sends instances needs of them
    querytext   identifiers written as text, as on a command line
    violations  what a peer does against the standard though it is tolerated, with the clauses

Import the modules themselves: `from dimse.data.uids import UID`. pydicom, whose import takes longer than most commands run,
is imported inside the few functions that hand out or take a pydicom `Dataset` or that look something up in its dictionaries.
"""
