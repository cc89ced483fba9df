"""Index sources in background workers: read, parse, cut into chunks, embed, swap.

    claiming     which source is next
    indexing     the steps of one source
    reading      documents of a source: its text, its file
    web          the pages of a web source
    storing      a document and its chunks, in one transaction
    vectors      the vectors that chunks lack
    swapping     the new generation takes the live one's place, in one transaction
    erasing      what is live no more

Every step is committed by itself and can be repeated: whichever worker dies, the next one goes on
after the last step. A worker that lost its claim can write nothing more.
"""
