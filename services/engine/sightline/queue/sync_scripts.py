"""The writes of folder syncs as Lua: several syncs of a folder may run at once.

Keys: KEYS[1] the files by URI, each as "size mtime point"; KEYS[2] the departures, each as "point uri".
"""

RECORD = """
-- ARGV: URI and value of each file
for i = 1, #ARGV, 2 do
  local held = redis.call('HGET', KEYS[1], ARGV[i])
  if held then
    local point = string.match(held, '%S+$')
    if point ~= string.match(ARGV[i + 1], '%S+$') then
      redis.call('SADD', KEYS[2], point .. ' ' .. ARGV[i])
    end
  end
  redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1])
end
"""

SEED = """
-- ARGV: URI and value of each file
for i = 1, #ARGV, 2 do
  if redis.call('HSETNX', KEYS[1], ARGV[i], ARGV[i + 1]) == 0 then
    local point = string.match(ARGV[i + 1], '%S+$')
    if point ~= string.match(redis.call('HGET', KEYS[1], ARGV[i]), '%S+$') then
      redis.call('SADD', KEYS[2], point .. ' ' .. ARGV[i])
    end
  end
end
"""

SETTLE = """
-- ARGV: departure, its URI, the value that the file must have or '', and whether to forget it, of each
for i = 1, #ARGV, 4 do
  if ARGV[i + 2] == '' or redis.call('HGET', KEYS[1], ARGV[i + 1]) == ARGV[i + 2] then
    redis.call('SREM', KEYS[2], ARGV[i])
    if ARGV[i + 3] == '1' then redis.call('HDEL', KEYS[1], ARGV[i + 1]) end
  end
end
"""
