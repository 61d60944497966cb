"""The HTTP doors: a thin API over the services, web pages, OAI-PMH and the resolver of identifiers."""
