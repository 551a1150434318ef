"""Keeps a Redis or Valkey cache in step with a DynamoDB table."""
