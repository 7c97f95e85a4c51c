"""The gateway: routes translate HTTP, the modules beside them do the work."""
