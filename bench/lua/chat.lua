-- Posts one fixed chat call over and over and, at the end, prints what wrk measured as one line of JSON.
-- The body and the headers come in the environment, so that no credential stands on a command line.

wrk.method = "POST"
wrk.body = os.getenv("BENCH_BODY")
for name, value in string.gmatch(os.getenv("BENCH_HEADERS") or "", "([^:\n]+): ([^\n]*)") do
  wrk.headers[name] = value
end

-- A signed call is never sent twice: each takes the next line of the file, "nonce signature".
local signatures = os.getenv("BENCH_SIGNATURES")
if signatures then
  local lines, position = {}, 0
  for line in io.lines(signatures) do lines[#lines + 1] = line end
  request = function()
    position = position + 1
    local nonce, signature = string.match(lines[position], "(%S+) (%S+)")
    wrk.headers["x-nonce"] = nonce
    wrk.headers["x-signature"] = signature
    return wrk.format()
  end
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
