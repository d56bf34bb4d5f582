// Every ring needs one source of its own; its tests are added by the folders below.
