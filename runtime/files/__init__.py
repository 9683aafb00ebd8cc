"""Files in and out: which file becomes which, one by one, in batches and on several machines."""
