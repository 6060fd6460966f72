"""All Ray work: shards, ingest, training and scoring, wrapped around the plain stages."""
