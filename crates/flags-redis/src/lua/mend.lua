-- Changes one entry of an index, provided that its record is still what it was when it was judged.
--
-- KEYS[1]: the record, KEYS[2]: the index. ARGV[1]: the digest of the record's value, '' where there is none; ARGV[2]: what the field
-- of a hash says, '' where that is no condition; ARGV[3..]: a command of which KEYS[2] is the key, without it.
--
-- Answers 1, or 0 where something has changed meanwhile.
if redis.replicate_commands then redis.replicate_commands() end

local is = redis.call('TYPE', KEYS[1]).ok
if is ~= 'none' and is ~= 'string' then return 0 end
local raw = is == 'string' and redis.call('GET', KEYS[1])
if (raw and redis.sha1hex(raw) or '') ~= ARGV[1] then return 0 end
if ARGV[2] ~= '' and redis.call('HGET', KEYS[2], ARGV[4]) ~= ARGV[2] then return 0 end
redis.call(ARGV[3], KEYS[2], unpack(ARGV, 4))
return 1
