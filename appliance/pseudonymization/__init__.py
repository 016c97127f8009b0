"""Pure: keyed pseudonyms and the rule which digits may stay clear."""
