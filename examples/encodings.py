"""Shows what each encoding makes of the item in `event.json`, and what a reader makes of that. Needs no server.

python examples/encodings.py
"""

import json
from pathlib import Path

from ddb_cache_sync import Compressed, Image, JsonEncoding, encoding_named

NAMES = ("json", "dynamodb-json", "hash", "attribute:name", "attribute:avatar", "attribute:nickname")

event = json.loads(Path(__file__).with_name("event.json").read_text(encoding="utf-8"))
item = Image(event["Records"][0]["dynamodb"]["NewImage"])
encodings = {name: encoding_named(name) for name in NAMES}
encodings["json, compressed above 64 bytes"] = Compressed(JsonEncoding(), above=64)

for name, encoding in encodings.items():
    value = encoding.encode(item)
    print(f"{name} ({encoding.kind})")
    if value is None:
        print("  no such attribute: the cache key is removed")
    else:
        print(f"  stored: {value!r}")
        print(f"  read:   {encoding.decode(value)!r}")
