"""What an information package is: model, BagIt, OCFL, METS, PREMIS, records, identifiers.

Pure knowledge about formats. Nothing here knows a database, a network or an orchestrator; a reader in
thirty years can use this folder alone.
"""
