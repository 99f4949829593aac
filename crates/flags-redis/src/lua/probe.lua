-- Proves on scratch keys that every command that commits need is permitted, since a script that is refused half-way
-- is not rolled back. Answers the commands that are not, each with the server's reason.
--
-- KEYS: four keys of nobody, one for each type. They are gone afterwards.
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
try('SET', text, '1')
try('SET', text, '1', 'PXAT', '33000000000000')
try('GET', text)
try('PTTL', text)
try('TYPE', text)
try('SADD', set, 'a')
try('SMEMBERS', set)
try('SREM', set, 'a')
try('ZADD', sorted, '1', 'a')
try('ZRANGEBYSCORE', sorted, '0', '+inf')
try('ZREMRANGEBYSCORE', sorted, '-inf', '(1')
try('ZREM', sorted, 'a')
try('HSET', hash, 'a', '1')
try('HSETNX', hash, 'a', '1')
try('HGET', hash, 'a')
try('HDEL', hash, 'a')
for _, key in ipairs(KEYS) do try('DEL', key) end
return refused
