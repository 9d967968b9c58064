#!/usr/bin/env bash
# Hive Gateway, over the graph that bench/compare/run composed.
set -euo pipefail
cd "$(dirname "$0")"
exec node node_modules/.bin/hive-gateway supergraph -c hive.config.js
