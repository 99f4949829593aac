-- Proves on scratch keys that every command that commits need is permitted, since a script that is refused half-way
-- is not rolled back. Answers the commands that are not, each with the server's reason.
--
-- KEYS: four keys of nobody, one for each type. They are gone afterwards, ten seconds later at the latest where DEL is
-- one of those commands, if PEXPIRE is not.
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

-- No other command of a store needs it, so it may be refused.
local function leave(key) redis.pcall('PEXPIRE', key, '10000') end

try('TIME')
local time = redis.pcall('TIME')
local soon = string.format('%.0f', ((tonumber(time[1]) or 0) + 10) * 1000)
try('SET', text, '1')
try('SET', text, '1', 'PXAT', soon)
try('GET', text)
try('PTTL', text)
try('TYPE', text)
try('SADD', set, 'a')
leave(set)
try('SMEMBERS', set)
try('SREM', set, 'a')
try('ZADD', sorted, '1', 'a')
leave(sorted)
try('ZRANGEBYSCORE', sorted, '0', '+inf')
try('ZREMRANGEBYSCORE', sorted, '-inf', '(1')
try('ZREM', sorted, 'a')
try('HSET', hash, 'a', '1')
leave(hash)
try('HSETNX', hash, 'a', '1')
try('HGET', hash, 'a')
try('HDEL', hash, 'a')
for _, key in ipairs(KEYS) do try('DEL', key) end
return refused
