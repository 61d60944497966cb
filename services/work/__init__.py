"""Work: what walks jobs through their steps, in this process, in many, or through Prefect."""
