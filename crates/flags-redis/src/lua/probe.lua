-- Proves on scratch keys that every command that commits need is permitted, since a script that is refused half-way
-- is not rolled back. Answers the commands that are not, each with the server's reason.
--
-- KEYS: four keys of nobody, one for each type. They are deleted afterwards, or end by themselves after ten seconds where the user may
-- not delete: what is refused is most often just that.
if redis.replicate_commands then redis.replicate_commands() end

local text, set, sorted, hash = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local refused = {}

local function try(...)
  local answer = redis.pcall(...)
  if type(answer) == 'table' and answer.err then
    refused[#refused + 1] = (...)
    refused[#refused + 1] = answer.err
  end
end

try('TIME')
local time = redis.pcall('TIME')
-- Without the time there is no store to open, and the year 1970 deletes at once.
local soon = string.format('%.0f', (tonumber(time[1]) or 0) * 1000 + 10000)
try('SET', text, '1', 'PXAT', soon)
try('GET', text)
try('PTTL', text)
try('TYPE', text)
try('SADD', set, 'a')
redis.pcall('PEXPIREAT', set, soon)
try('SMEMBERS', set)
try('SREM', set, 'a')
try('ZADD', sorted, '1', 'a')
redis.pcall('PEXPIREAT', sorted, soon)
try('ZRANGEBYSCORE', sorted, '0', '+inf')
try('ZREMRANGEBYSCORE', sorted, '-inf', '(1')
try('ZREM', sorted, 'a')
try('HSET', hash, 'a', '1')
redis.pcall('PEXPIREAT', hash, soon)
try('HSETNX', hash, 'a', '1')
try('HGET', hash, 'a')
try('HDEL', hash, 'a')
for _, key in ipairs(KEYS) do try('DEL', key) end
return refused
