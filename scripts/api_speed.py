"""How quickly the API answers: a page of 100 rows of every table, then many clients at once.

    python scripts/api_speed.py --token "$TOKEN" --address http://127.0.0.1:8090 --clients 50

Exit 0 when each table's page came within the limit, 1 when one did not. Run it beside a server with a high
ONELEDGER_WEB_RATE; otherwise it measures the refusals.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import httpx

LIMIT_SECONDS = 0.1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--address", default="http://127.0.0.1:8090")
    parser.add_argument("--token", required=True)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=10)
    chosen = parser.parse_args()
    with _client(chosen) as client:
        tables = [one["name"] for one in client.get("/api/v1/tables").raise_for_status().json()["items"]]
        slowest = {one: min(_seconds(client, one) for _ in range(3)) for one in tables}
    for name, seconds in sorted(slowest.items(), key=lambda one: -one[1])[:5]:
        print(f"{seconds * 1000:7.1f} ms  {name}")
    slow = [one for one, seconds in slowest.items() if seconds > LIMIT_SECONDS]
    print(f"{len(tables)} tables, 100 rows each: {len(slow)} over {LIMIT_SECONDS * 1000:.0f} ms")
    _many_clients(chosen, tables)
    return 1 if slow else 0


def _many_clients(chosen: argparse.Namespace, tables: list[str]) -> None:
    end = time.monotonic() + chosen.seconds

    def ask(number: int) -> list[float]:
        taken = []
        with _client(chosen) as client:
            while time.monotonic() < end:
                taken.append(_seconds(client, tables[(number + len(taken)) % len(tables)]))
        return taken

    with ThreadPoolExecutor(chosen.clients) as pool:
        taken = sorted(one for each in pool.map(ask, range(chosen.clients)) for one in each)
    print(
        f"{chosen.clients} clients at once: {len(taken) / chosen.seconds:.0f} pages a second, "
        f"median {statistics.median(taken) * 1000:.0f} ms, 95th of 100 {taken[int(len(taken) * 0.95)] * 1000:.0f} ms"
    )


def _client(chosen: argparse.Namespace) -> httpx.Client:
    return httpx.Client(base_url=chosen.address, headers={"Authorization": f"Bearer {chosen.token}"}, timeout=60)


def _seconds(client: httpx.Client, table: str) -> float:
    started = time.monotonic()
    client.get(f"/api/v1/tables/{table}", params={"limit": 100}).raise_for_status()
    return time.monotonic() - started


if __name__ == "__main__":
    sys.exit(main())
