"""The ledger's writes as Lua, so that each happens wholly or not at all.

Keys: KEYS[1] the job's hash, KEYS[2] its planned batches, KEYS[3] its failures, KEYS[4] its reasons,
KEYS[5] the set of active jobs.
"""

# ARGV of finish: the time, the retention in seconds, the job's id.
_FINISH = """
local function finish(now, keep_s, id)
  if redis.call('HGET', KEYS[1], 'finished_at') then return end
  if redis.call('HGET', KEYS[1], 'total_known') ~= '1' then return end
  if redis.call('HLEN', KEYS[2]) > 0 then return end
  local failed = tonumber(redis.call('HGET', KEYS[1], 'failed'))
  local total = tonumber(redis.call('HGET', KEYS[1], 'total'))
  local state = 'succeeded'
  if redis.call('HEXISTS', KEYS[1], 'error') == 1 or (failed > 0 and failed == total) then
    state = 'failed'
  elseif failed > 0 then
    state = 'partial'
  end
  redis.call('HSET', KEYS[1], 'state', state, 'finished_at', now)
  redis.call('SREM', KEYS[5], id)
  for i = 1, 4 do redis.call('EXPIRE', KEYS[i], keep_s) end
end
"""

PLAN_BATCH = """
-- ARGV: batch id expected next, its items as JSON, how many, the cursor after them, the time
local job = redis.call('HMGET', KEYS[1], 'next_batch', 'finished_at', 'total_known')
if job[1] ~= ARGV[1] or job[2] or job[3] == '1' then return 0 end
redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
redis.call('HINCRBY', KEYS[1], 'total', ARGV[3])
redis.call('HINCRBY', KEYS[1], 'next_batch', 1)
redis.call('HSET', KEYS[1], 'cursor', ARGV[4], 'state', 'running')
redis.call('HSETNX', KEYS[1], 'started_at', ARGV[5])
return 1
"""

END_LISTING = (
    _FINISH
    + """
-- ARGV: the time, retention, job id, an error as JSON or ''
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
if redis.call('HGET', KEYS[1], 'finished_at') then return 0 end
redis.call('HSET', KEYS[1], 'total_known', 1)
redis.call('HSETNX', KEYS[1], 'started_at', ARGV[1])
if ARGV[4] ~= '' then redis.call('HSET', KEYS[1], 'error', ARGV[4]) end
finish(ARGV[1], ARGV[2], ARGV[3])
return 1
"""
)

SET_OUTCOME = (
    _FINISH
    + """
-- ARGV: the time, retention, job id, batch id, indexed, unchanged,
--       then per failure: its number, its reason, its JSON
if redis.call('HDEL', KEYS[2], ARGV[4]) == 0 then return 0 end
redis.call('HINCRBY', KEYS[1], 'indexed', ARGV[5])
redis.call('HINCRBY', KEYS[1], 'unchanged', ARGV[6])
for i = 7, #ARGV, 3 do
  redis.call('HINCRBY', KEYS[1], 'failed', 1)
  redis.call('ZADD', KEYS[3], ARGV[i], ARGV[i + 2])
  redis.call('HINCRBY', KEYS[4], ARGV[i + 1], 1)
end
finish(ARGV[1], ARGV[2], ARGV[3])
return 1
"""
)
