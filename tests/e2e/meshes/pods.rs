//! The gateway's pods, as Kubernetes makes them.
