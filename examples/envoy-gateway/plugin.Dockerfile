# The plugin as an image, which Envoy Gateway fetches: `make build`, then from the top of the repository
#   docker build --file examples/envoy-gateway/plugin.Dockerfile --tag registry.example.com/envoy-autocert-plugin:1.0.0 .
FROM scratch
COPY target/envoy_autocert.wasm plugin.wasm
