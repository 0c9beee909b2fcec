# Runs the pipelines on the bundled log: docker build -t sparkify-churn . && docker run --rm sparkify-churn
# Mount a folder at /project/data to keep the results.
FROM python:3.11-slim-bookworm

RUN apt-get update \
    && apt-get install --yes --no-install-recommends make openjdk-17-jre-headless \
    && rm -rf /var/lib/apt/lists/*

RUN useradd --create-home --uid 1000 churn \
    && mkdir /project \
    && chown churn:churn /project
USER churn
WORKDIR /project

# The environment first, so that a change of the code does not install it again.
COPY --chown=churn:churn Makefile requirements.lock ./
RUN make env
COPY --chown=churn:churn . .

ENTRYPOINT [".venv/bin/kedro"]
CMD ["run"]
