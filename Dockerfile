# Two images: `worker` trains (7 GB, CUDA), `head` makes tables and serves MLflow and optuna-dashboard (no torch).
# `deploy/pin-images` writes the digests of the tags into this file and docker-compose*.yml.
FROM python:3.11.11-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 UV_LINK_MODE=copy
RUN pip install --no-cache-dir uv==0.13.9 && python -m venv /opt/hpo
WORKDIR /src
COPY requirements-server.lock requirements-head.txt ./

# What is locked comes before our own code: a change of the code copies no gigabytes.
FROM build AS worker-build
# `--build-arg TORCH=cpu` takes the same releases of torch from PyTorch's own index, built without CUDA: these have no hash in the lock.
ARG TORCH=locked
RUN if [ "$TORCH" = locked ]; \
    then uv pip install --no-cache --python /opt/hpo/bin/python --require-hashes --compile-bytecode -r requirements-server.lock; \
    else sed -E '/^ +--hash=/d; s/ \\$//; /^(nvidia-[^m]|cuda-|triton==)/d' requirements-server.lock >packages.txt \
      && uv pip install --no-cache --python /opt/hpo/bin/python --no-deps --torch-backend "$TORCH" --compile-bytecode -r packages.txt; \
    fi
COPY pyproject.toml hatch_build.py README.md LICENSE ./
COPY configs configs
COPY hpo hpo
RUN uv pip install --no-cache --python /opt/hpo/bin/python --no-deps --no-build-isolation --compile-bytecode .

FROM build AS head-build
RUN uv pip install --no-cache --python /opt/hpo/bin/python --compile-bytecode --constraints requirements-server.lock -r requirements-head.txt
COPY pyproject.toml hatch_build.py README.md LICENSE ./
COPY configs configs
COPY hpo hpo
RUN uv pip install --no-cache --python /opt/hpo/bin/python --no-deps --no-build-isolation --compile-bytecode .

FROM python:3.11.11-slim-bookworm AS base
ENV PATH=/opt/hpo/bin:$PATH PYTHONUNBUFFERED=1 HOME=/tmp
COPY --chmod=755 deploy/entrypoint.sh /usr/local/bin/entrypoint.sh
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin hpo && install -d -o 10001 -g 10001 /runs /artifacts /data /studies
ENTRYPOINT ["entrypoint.sh"]
CMD ["hpo", "--help"]

FROM base AS head
COPY --from=head-build /opt/hpo /opt/hpo
USER 10001:10001

FROM base AS worker
# opencv-python loads libGL.so.1 and libgthread-2.0.so.0, which slim images lack
RUN apt-get update && apt-get install -y --no-install-recommends libgl1 libglib2.0-0 && rm -rf /var/lib/apt/lists/*
ENV HPO_HOME=/runs NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility
COPY --from=worker-build /opt/hpo /opt/hpo
USER 10001:10001
