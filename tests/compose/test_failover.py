"""A Redis that sentinels watch loses its master: what was accepted is done, and everything goes on."""

import io
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from time import monotonic, sleep
from typing import Any

import numpy as np
from PIL import Image

UPLOADS_AFTER = 5
PAUSE_S = 0.05


def picture(number: int) -> bytes:
    """A picture that no other number gives."""
    noise = np.random.default_rng(number).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise).resize((96, 96)).save(file, "PNG")
    return file.getvalue()


def upload_until(deployment: Any, over: Event, collection: str) -> dict[str, float]:
    """Upload pictures one by one, each until it is accepted; the jobs and when they were accepted."""
    accepted: dict[str, float] = {}
    after, number = 0, 0
    while after < UPLOADS_AFTER:
        number += 1
        after += over.is_set()
        files = [("files", (f"{number}.png", picture(number), "image/png"))]
        while True:
            answer = deployment.client.post(f"/v1/images?collection={collection}", files=files)
            if answer.status_code == 202:
                break
            assert (answer.status_code, answer.json()["code"]) == (503, "service_unavailable"), answer.text
            sleep(PAUSE_S)
        accepted[answer.json()["id"]] = monotonic()
        sleep(PAUSE_S)
    return accepted


def test_no_accepted_picture_is_lost_when_the_master_is(
    make_watched_deployment: Callable[[], Any], collection: str
) -> None:
    with make_watched_deployment() as (deployment, crew):
        deployment.mend()
        folder_job = deployment.ingest(deployment.pictures / "200", collection)
        over = Event()
        with ThreadPoolExecutor(1) as pool:
            uploading = pool.submit(upload_until, deployment, over, collection)
            deployment.under_way(folder_job, at_least=32)
            killed_at = monotonic()
            killed = crew.fail_over()
            took_s = monotonic() - killed_at
            # The lost one comes back as a replica, without which nothing is accepted.
            killed.start()
            over.set()
            accepted = uploading.result(timeout=180)

        gap_s = min(at for at in accepted.values() if at > killed_at) - killed_at
        sys.stderr.write(
            f"\nanother master after {took_s:.1f} s, first picture accepted after {gap_s:.1f} s, "
            f"{len(accepted)} accepted\n"
        )
        for job_id in accepted:
            job = deployment.ended_job(job_id)
            assert (job["counts"]["total"], job["counts"]["failed"]) == (1, 0), job
        deployment.assert_all_indexed(folder_job, collection, 200, more=len(accepted))
