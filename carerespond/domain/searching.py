"""What is added to a saved search on X, so that each post is found and paid for once."""

LONGEST_QUERY = 512  # characters; self-serve access (X: posts/search/introduction)


def complete_query(query: str, handle: str) -> str:
    """A saved search as it goes to X: without our own posts, reposts, advertisements and mentions.

    Posts that name us are read from the mentions, where they cost a fifth. What stands in the query
    already is not repeated, and what it asks for itself is not taken out.

    Args:
        query: As a person wrote it.
        handle: Our account's, without the @.
    """
    terms = _outer_terms(query)
    # AND binds tighter than OR: without brackets the additions would hold for the last part alone.
    has_choice = "OR" in terms
    known = set() if has_choice else {term.lower().replace(":@", ":") for term in terms}
    added = [
        f"-{term}"
        for term in (f"from:{handle}", f"@{handle}", "is:retweet", "is:nullcast")
        if not {term.lower(), f"-{term.lower()}"} & known
    ]
    return " ".join([f"({query.strip()})" if has_choice else query.strip(), *added])


def _outer_terms(query: str) -> list[str]:
    """The terms outside of brackets; a phrase or a bracket is one term."""
    terms, term, depth, is_quoted = [], "", 0, False
    for character in query:
        if character == '"':
            is_quoted = not is_quoted
        elif not is_quoted:
            depth += {"(": 1, ")": -1}.get(character, 0)
        if character.isspace() and depth <= 0 and not is_quoted:
            terms.append(term)
            term = ""
        else:
            term += character
    return [one for one in [*terms, term] if one]
