"""DynamoDB: reading a table's items, its stream and its exports; the only layer that imports boto3."""
