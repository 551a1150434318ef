"""The pure part: stream records in, cache writes out. No redis, no boto3, no clock, no environment."""
