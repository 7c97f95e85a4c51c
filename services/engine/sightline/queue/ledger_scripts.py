"""The ledger's writes as Lua, so that each happens wholly or not at all.

Keys: KEYS[1] the job's hash, KEYS[2] its planned batches, KEYS[3] its failures, KEYS[4] its reasons,
KEYS[5] the starts of its batches and, in the field 'planning', of its planning, KEYS[6] the pictures it lists
itself, KEYS[7] the set of active jobs, KEYS[8] the counts of jobs that have ended.
"""

CREATE = """
-- KEYS[9] the set of jobs, KEYS[10] the collections that are being deleted,
-- KEYS[11] the idempotency key or none
-- ARGV: job id, time in seconds, retention, seconds a key holds, hash of the body, the collection,
--       the time when somebody saw that it may be written to, then field and value…
if KEYS[11] then
  local made = redis.call('GET', KEYS[11])
  if made then return made end
end
local going_until = redis.call('ZSCORE', KEYS[10], ARGV[6])
if going_until and tonumber(going_until) > tonumber(ARGV[7]) then return 0 end
if KEYS[11] then redis.call('SET', KEYS[11], ARGV[5] .. ' ' .. ARGV[1], 'EX', ARGV[4]) end
redis.call('HSET', KEYS[1], unpack(ARGV, 8))
redis.call('PERSIST', KEYS[6])
redis.call('SADD', KEYS[7], ARGV[1])
redis.call('ZADD', KEYS[9], ARGV[2], ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[9], 0, ARGV[2] - ARGV[3])
return false
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
  if redis.call('HEXISTS', KEYS[1], 'error') == 1 then
    state = 'failed'
  elseif redis.call('HEXISTS', KEYS[1], 'stopped') == 1 then
    state = 'canceled'
  elseif failed > 0 and failed == total then
    state = 'failed'
  elseif failed > 0 then
    state = 'partial'
  end
  redis.call('HSET', KEYS[1], 'state', state, 'finished_at', now)
  redis.call('SREM', KEYS[7], id)
  redis.call('HINCRBY', KEYS[8], state, 1)
  redis.call('DEL', KEYS[5])
  for i = 1, 6 do redis.call('EXPIRE', KEYS[i], keep_s) end
end
"""

# A batch that is stopped before it is started, or started again, counts as canceled.
_CANCEL_BATCH = """
local function cancel_batch(batch, record)
  redis.call('HDEL', KEYS[2], batch)
  redis.call('HDEL', KEYS[5], batch, batch .. ':defect')
  redis.call('HINCRBY', KEYS[1], 'canceled', #cjson.decode(record)['items'])
end
"""

# From an argument on, per failure: its number, its reason, its JSON.
_NOTE_FAILURES = """
local function note_failures(first)
  for i = first, #ARGV, 3 do
    redis.call('HINCRBY', KEYS[1], 'failed', 1)
    redis.call('ZADD', KEYS[3], ARGV[i], ARGV[i + 2])
    redis.call('HINCRBY', KEYS[4], ARGV[i + 1], 1)
  end
end
"""

PLAN_BATCH = (
    _NOTE_FAILURES
    + """
-- ARGV: batch id expected next, its items as JSON, how many, the cursor after them, the time,
--       how many more were listed and need no work, how many were done as they were listed, how many
--       of those that were listed are canceled, then per failure: its number, its reason, its JSON
local job = redis.call('HMGET', KEYS[1], 'next_batch', 'finished_at', 'total_known')
if job[1] ~= ARGV[1] or job[2] or job[3] == '1' then return 0 end
if tonumber(ARGV[3]) > 0 then redis.call('HSET', KEYS[2], ARGV[1], ARGV[2]) end
local failed = (#ARGV - 8) / 3
redis.call('HINCRBY', KEYS[1], 'total', ARGV[3] + ARGV[6] + ARGV[7] + ARGV[8] + failed)
redis.call('HINCRBY', KEYS[1], 'unchanged', ARGV[6])
redis.call('HINCRBY', KEYS[1], 'indexed', ARGV[7])
redis.call('HINCRBY', KEYS[1], 'canceled', ARGV[8])
note_failures(9)
redis.call('HINCRBY', KEYS[1], 'next_batch', 1)
redis.call('HSET', KEYS[1], 'cursor', ARGV[4], 'state', 'running')
redis.call('HSETNX', KEYS[1], 'started_at', ARGV[5])
if redis.call('HEXISTS', KEYS[5], 'planning') == 1 then
  -- It got on: whatever ended earlier starts, this one is the first that is at this place.
  redis.call('HSET', KEYS[5], 'planning', 1)
  redis.call('HDEL', KEYS[5], 'planning:defect')
end
return 1
"""
)

START_PLANNING = """
local job = redis.call('HMGET', KEYS[1], 'state', 'finished_at', 'total_known')
if not job[1] or job[2] or job[3] == '1' then return false end
local starts = redis.call('HINCRBY', KEYS[5], 'planning', 1)
return {starts, redis.call('HGET', KEYS[5], 'planning:defect')}
"""

END_LISTING = (
    _FINISH
    + """
-- ARGV: the time, retention, job id, an error as JSON or ''
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
if redis.call('HGET', KEYS[1], 'finished_at') then return 0 end
redis.call('HSET', KEYS[1], 'total_known', 1)
redis.call('HSETNX', KEYS[1], 'started_at', ARGV[1])
if ARGV[4] ~= '' then redis.call('HSETNX', KEYS[1], 'error', ARGV[4]) end
finish(ARGV[1], ARGV[2], ARGV[3])
return 1
"""
)

STOP = (
    _FINISH
    + _CANCEL_BATCH
    + """
-- ARGV: the time, retention, job id, an error as JSON or ''
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
if redis.call('HGET', KEYS[1], 'finished_at') then return 0 end
redis.call('HSET', KEYS[1], 'total_known', 1, 'stopped', 1)
if ARGV[4] ~= '' then redis.call('HSETNX', KEYS[1], 'error', ARGV[4]) end
local batches = redis.call('HGETALL', KEYS[2])
for i = 1, #batches, 2 do
  if redis.call('HEXISTS', KEYS[5], batches[i]) == 0 then cancel_batch(batches[i], batches[i + 1]) end
end
finish(ARGV[1], ARGV[2], ARGV[3])
return 1
"""
)

CLAIM = (
    _FINISH
    + _CANCEL_BATCH
    + """
-- ARGV: the time, retention, job id, batch id
local record = redis.call('HGET', KEYS[2], ARGV[4])
if not record then return false end
if redis.call('HEXISTS', KEYS[1], 'stopped') == 1 then
  cancel_batch(ARGV[4], record)
  finish(ARGV[1], ARGV[2], ARGV[3])
  return false
end
local starts = redis.call('HINCRBY', KEYS[5], ARGV[4], 1)
return {record, starts, redis.call('HGET', KEYS[5], ARGV[4] .. ':defect')}
"""
)

NOTE_DEFECT = """
-- ARGV: what was started, what ended it. Where nothing is started any more, nobody would remove the note.
if redis.call('HEXISTS', KEYS[5], ARGV[1]) == 0 then return 0 end
redis.call('HSET', KEYS[5], ARGV[1] .. ':defect', ARGV[2])
return 1
"""

SPLIT = """
-- ARGV: batch id, then id and JSON of each part
if redis.call('HDEL', KEYS[2], ARGV[1]) == 0 then return 0 end
redis.call('HDEL', KEYS[5], ARGV[1], ARGV[1] .. ':defect')
redis.call('HSET', KEYS[2], unpack(ARGV, 2))
return 1
"""

SET_OUTCOME = (
    _FINISH
    + _NOTE_FAILURES
    + """
-- ARGV: the time, retention, job id, batch id, indexed, unchanged, canceled,
--       then per failure: its number, its reason, its JSON
if redis.call('HDEL', KEYS[2], ARGV[4]) == 0 then return 0 end
redis.call('HDEL', KEYS[5], ARGV[4], ARGV[4] .. ':defect')
redis.call('HINCRBY', KEYS[1], 'indexed', ARGV[5])
redis.call('HINCRBY', KEYS[1], 'unchanged', ARGV[6])
redis.call('HINCRBY', KEYS[1], 'canceled', ARGV[7])
note_failures(8)
finish(ARGV[1], ARGV[2], ARGV[3])
return 1
"""
)
