-- Asked by wrk: every connection is a user who thinks, then sends one event of one of so many sessions.
-- Arguments: sessions, items, the mean time to think in milliseconds, the file of the answers.

local sessions, items, think, answers
local sent = 0

function init(args)
  sessions, items, think = tonumber(args[1]), tonumber(args[2]), tonumber(args[3])
  answers = io.open(args[4], "w")
  answers:setvbuf("line")
  wrk.headers["Content-Type"] = "application/json"
  math.randomseed(1)
end

function delay()
  return math.random() * 2 * think
end

function request()
  sent = sent + 1
  local path = "/v1/sessions/load-" .. sent % sessions .. "/events"
  return wrk.format("POST", path, nil, '{"item_id":' .. math.random(1, items) .. "}")
end

function response(status, headers, body)
  answers:write(status, "\t", body, "\n")
end

function done(summary, latency, requests)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  local line = '{"seconds":%f,"requests":%d,"failed":%d,"p50":%f,"p90":%f,"p99":%f,"p99_9":%f,"max":%f}\n'
  local function ms(p) return latency:percentile(p) / 1000 end
  io.write(string.format(line, summary.duration / 1e6, summary.requests, failed,
    ms(50), ms(90), ms(99), ms(99.9), latency.max / 1000))
end
