# The quickstart in a container: docker build -t coldzoom . && docker run --rm -v "$PWD/out:/coldzoom/out" coldzoom
FROM debian:bookworm
COPY . /coldzoom
WORKDIR /coldzoom
RUN bash examples/setup.sh quickstart
ENTRYPOINT ["bash", "examples/quickstart.sh", "--no-install"]
