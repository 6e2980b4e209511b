-- Posts one fixed chat call over and over and, at the end, prints what wrk measured as one line of JSON.
-- The body and the headers come in the environment, so that no credential stands on a command line.

wrk.method = "POST"
wrk.body = os.getenv("BENCH_BODY")
for name, value in string.gmatch(os.getenv("BENCH_HEADERS") or "", "([^:\n]+): ([^\n]*)") do
  wrk.headers[name] = value
end

-- wrk counts a status above 399 as an error; all figures of `latency` are microseconds.
function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '\nBENCH {"requests":%d,"durationMicros":%d,"p50Micros":%d,"p99Micros":%d,"maxMicros":%d,' ..
    '"statusErrors":%d,"socketErrors":%d,"timeouts":%d}\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), latency.max,
    errors.status, errors.connect + errors.read + errors.write, errors.timeout))
end
