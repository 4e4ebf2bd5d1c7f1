"""Photos that no camera takes, made by code while the tests run."""
