# Runs the pipelines on the bundled log: docker build -t sparkify-churn . && docker run --rm sparkify-churn
# Mount a folder at /project/data to keep the results.
# Serves the results in such a folder: docker build --target serve -t sparkify-serve . (docs/serving.md)
FROM python:3.11-slim-bookworm AS environment

RUN apt-get update \
    && apt-get install --yes --no-install-recommends make \
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

# Without Java. Listening beyond the container takes a token: -e SPARKIFY_SERVING_TOKEN
FROM environment AS serve
EXPOSE 8000
ENTRYPOINT [".venv/bin/kedro", "serve", "--host=0.0.0.0"]

FROM environment AS run
USER root
RUN apt-get update \
    && apt-get install --yes --no-install-recommends openjdk-17-jre-headless \
    && rm -rf /var/lib/apt/lists/*
USER churn
ENTRYPOINT [".venv/bin/kedro"]
CMD ["run"]
