"""Search knowledge bases by vectors and by words, in one statement.

terms           the words of a question, as search terms with weights
statement       the SQL: nearest vectors (`vectors_sql`) and best words (`words_sql`), fused by rank
vector_indexes  indexes over vectors for large bases
results         near-duplicates dropped, neighbours joined, cut to a budget
relevance       whether what was found probably answers the question
connections     the pool of turns that search
services        the whole of it
"""
