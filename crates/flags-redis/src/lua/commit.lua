-- Applies a batch: judges everything against one state, then writes everything.
--
-- Redis does not roll a script back, so nothing may fail after the first write: the types of all keys
-- that are written are checked first, opening a store has proved that each command is permitted, and
-- from Redis 7 on, which can be asked, that is checked again. What fails nevertheless is told as torn.
--
-- KEYS: every key that is read or written. ARGV[1]: the plan, as JSON; positions in it count from 1.
-- ARGV[2..]: values, opaque bytes that are never decoded to be stored again. See plan.rs for the plan.
--
-- Answers one of
--   {'ok', before, after, before, after, ...}   revisions by operation, '' for none
--   {'fail', op, reason}                        reason: exists, missing, stale, owner, alias, limit
--   {'type', key position}                      a key holds another type than it should
--   {'denied', command}                         this user may no longer use it
--   {'refused', error}, {'torn', error}         the first write was refused, or a later one: half of it is written
--   {'need', now_us, what, op, detail, ...}     nothing was written; the caller learns these and asks again

-- Redis before 7 replicates scripts by their text unless told otherwise, and this one reads the time.
if redis.replicate_commands then redis.replicate_commands() end

local plan = cjson.decode(ARGV[1])
local ops = plan.ops
local time = redis.call('TIME')
local now_us = tonumber(time[1]) * 1000000 + tonumber(time[2])
local now_ms = math.floor(now_us / 1000)

local letters = {string = 't', set = 's', zset = 'z', hash = 'h'}
for position = 1, #plan.types do
  local want = plan.types:sub(position, position)
  if want ~= '-' then
    local is = redis.call('TYPE', KEYS[position]).ok
    if is ~= 'none' and letters[is] ~= want then return {'type', position} end
  end
end

local values, bodies, revisions = {}, {}, {}

local function value(position)
  if values[position] == nil then values[position] = redis.call('GET', KEYS[position]) end
  return values[position]
end

-- A member of the stored JSON. One that cannot be read is never a match for anything.
local function body(position, member)
  if bodies[position] == nil then
    local raw = value(position)
    local fine, decoded = false, nil
    if raw then fine, decoded = pcall(cjson.decode, raw) end
    bodies[position] = (fine and type(decoded) == 'table') and decoded or false
  end
  local text = bodies[position] and bodies[position][member]
  if type(text) ~= 'string' then return nil end
  return member == 'name' and text or text:lower()
end

-- Whether the stored JSON says at its very beginning, where all writers put it, that this is its id. Decoding the
-- whole to learn as much is most of what a small commit would do.
local function leads_with_id(position, id)
  local raw = value(position)
  if not raw then return false end
  local first = raw:match('^{%s*"id"%s*:%s*"([^"\\]*)"')
  return first ~= nil and first:lower() == id
end

local needs = {}
local function need(what, op, detail)
  needs[#needs + 1] = what
  needs[#needs + 1] = op
  needs[#needs + 1] = detail or ''
end

-- A hint that is no text names no record. The caller, who cannot say it in JSON, tells its digest.
local function unreadable(hint)
  return plan.unreadable ~= nil and plan.unreadable[redis.sha1hex(hint)] == true
end

-- Microseconds since the epoch of an instant in UTC, as every writer spells it; nil for other spellings.
local function instant(text)
  local year, month, day, hour, minute, second, rest =
    text:match('^(%d%d%d%d)%-(%d%d)%-(%d%d)[T ](%d%d):(%d%d):(%d%d)(.*)$')
  if not year then return nil end
  local fraction = rest:match('^%.(%d+)') or ''
  local zone = rest:gsub('^%.%d+', '')
  if zone ~= '' and zone ~= 'Z' and zone ~= '+00:00' then return nil end
  year, month = tonumber(year), tonumber(month)
  -- Days of the civil calendar, with years that begin in March.
  if month <= 2 then year, month = year - 1, month + 12 end
  local days = 365 * year + math.floor(year / 4) - math.floor(year / 100) + math.floor(year / 400)
    + math.floor((153 * (month - 3) + 2) / 5) + tonumber(day) - 719469
  local seconds = ((days * 24 + tonumber(hour)) * 60 + tonumber(minute)) * 60 + tonumber(second)
  return seconds * 1000000 + tonumber((fraction .. '000000'):sub(1, 6))
end

-- Whether the JSON has an `expires_at`, of whatever member, that may be past.
local function may_have_expired(raw)
  for text in raw:gmatch('"expires_at"%s*:%s*"([^"]*)"') do
    local at = instant(text)
    if not at or at <= now_us then return true end
  end
  return false
end

-- The revision of what an operation finds. An override of another writer may have outlived its `expires_at`: it has no
-- time to live, or one by another clock. The caller, who can read the record, is asked once for each such value.
local function current(index, op)
  local raw = value(op.key)
  if not raw then return '' end
  if revisions[op.key] == nil then
    local sha = redis.sha1hex(raw)
    revisions[op.key] = sha
    if op.kind == 'override' and may_have_expired(raw) then
      local verdict = plan.ghosts[sha]
      if verdict == nil then need('ghost', index, raw) end
      if verdict then revisions[op.key] = '' end
    end
  end
  return revisions[op.key]
end

-- What the batch leaves behind of the records it names: false where deleted, else the alias.
local fate = {flag = {}, segment = {}}
-- The ids of the flags that it puts, and those that it takes from flags.
local ids, taken = {}, {}
for _, op in ipairs(ops) do
  if op.action == 'delete' and fate[op.kind] then fate[op.kind][op.member] = false end
  if op.action == 'put' and op.alias then fate[op.kind][op.member] = op.alias.name end
  if op.kind == 'flag' and op.action ~= 'check' then
    if op.action == 'put' then ids[op.alias.name] = true end
    op.same = op.action == 'put' and leads_with_id(op.key, op.alias.name)
    if not op.same then taken[body(op.key, 'id') or ''] = true end
  end
end

local function judge_condition(index, op)
  local asked = #needs
  local found = current(index, op)
  -- Not known yet, and no reason not to ask what else is not.
  if #needs > asked then return end
  if op.expect == 'absent' and found ~= '' then return 'exists' end
  if op.expect == 'present' or op.expect == 'revision' then
    if found == '' then return 'missing' end
    if op.expect == 'revision' and found ~= op.revision then return 'stale' end
  end
end

-- Whether the record was that flag's before, and the batch does not take the flag away. Then nobody has to look whether there
-- is such a flag: where there is none, the record is an orphan already, and may be written again.
local function stays(op)
  return (op.expect == 'present' or op.expect == 'revision')
    and not taken[op.owner.id] and body(op.key, 'flag_id') == op.owner.id
end

local function judge_owner(index, op)
  local owner = op.owner
  if ids[owner.id] or stays(op) then return end
  if owner.missing then return 'owner' end
  if not owner.key then
    need('owner', index, redis.call('HGET', KEYS[owner.hash], owner.id) or '')
  elseif body(owner.key, 'id') ~= owner.id then
    need('owner', index, '')
  elseif fate.flag[owner.member] ~= nil then
    -- Deleted by the batch.
    return 'owner'
  end
end

local claimed = {}
local function judge_alias(index, op)
  local alias = op.alias
  local claim = op.kind .. ':' .. alias.name
  if claimed[claim] then return 'alias' end
  claimed[claim] = true
  if op.kind == 'flag' and not op.same then
    -- A flag keeps its id for life.
    local bound = body(op.key, 'id')
    if bound and bound ~= alias.name then return 'alias' end
  end
  local known = {[op.member] = true}
  for _, holder in ipairs(alias.holders) do
    -- What the batch itself names is judged by what it leaves behind.
    if holder.key and holder.member ~= op.member and fate[op.kind][holder.member] == nil
      and body(holder.key, alias.field) == alias.name then
      return 'alias'
    end
    known[holder.member] = true
  end
  local hint = redis.call('HGET', KEYS[alias.hash], alias.name)
  if hint and not known[hint] and fate[op.kind][hint] == nil and not unreadable(hint) then
    need('holder', index, hint)
  end
  -- Then there is nothing to write about it.
  op.settled = op.same and hint == op.member
end

-- The flag that owned the record before: its index has to let go of it.
local function judge_former(index, op)
  if not op.owned or op.kind == 'override' then return end
  local former = body(op.key, 'flag_id')
  if not former or (op.owner and op.owner.id == former) then return end
  if not (op.former and op.former.id == former) then need('former', index, former) end
end

-- Whether the hash names another flag by that id, one that bears it and stays. Then what is owned is that flag's: another
-- writer has copied or renamed one. Asks about a hint that is not yet known.
local function another_holds(index, op, id)
  local hint = redis.call('HGET', KEYS[op.alias.hash], id)
  if not hint or hint == op.member or fate.flag[hint] == false then return false end
  for _, holder in ipairs(op.alias.holders) do
    if holder.member == hint then return holder.key and body(holder.key, 'id') == id end
  end
  if unreadable(hint) then return false end
  need('holder', index, hint)
  return true
end

local function judge_cascade(index, op)
  if op.kind ~= 'flag' or not value(op.key) then return end
  local id = body(op.key, 'id')
  -- What a flag without an id owns is unknown; nor does what an earlier round has read go with it.
  if not id or another_holds(index, op, id) then op.cascade = nil return end
  local cascade = op.cascade
  if (cascade and cascade.id) ~= id then need('cascade', index, id) return end
  if cascade.over then return 'limit' end
  cascade.going = {}
  for place, set in ipairs(cascade.sets) do
    local members
    if set.kind == 'override' then
      members = redis.call('ZRANGEBYSCORE', KEYS[set.key], string.format('%.0f', now_ms), '+inf')
    else
      members = redis.call('SMEMBERS', KEYS[set.key])
    end
    local known, going = {}, {}
    for at, member in ipairs(set.members) do known[member] = set.first + at - 1 end
    for _, member in ipairs(members) do
      -- Membership counts, not size: one may have gone and another come.
      if known[member] then
        going[#going + 1] = member
      elseif not (cascade.strays and cascade.strays[redis.sha1hex(member)]) then
        need('cascade', index, id)
        return
      end
    end
    cascade.going[place] = {members = set.kind == 'override' and set.members or going, known = known}
  end
end

for index, op in ipairs(ops) do
  local failure = judge_condition(index, op)
  if not failure and op.action == 'put' and op.owner then failure = judge_owner(index, op) end
  if not failure and op.action == 'put' and op.alias then failure = judge_alias(index, op) end
  if not failure and op.action == 'delete' then failure = judge_cascade(index, op) end
  if failure then
    -- An earlier operation that is still undecided comes first.
    if #needs > 0 then break end
    return {'fail', index, failure}
  end
  if op.action ~= 'check' then judge_former(index, op) end
end
if #needs > 0 then
  table.insert(needs, 1, string.format('%.0f', now_us))
  table.insert(needs, 1, 'need')
  return needs
end

-- Permissions may have changed since the store was opened. One check for each command that is about to be used.
local denied
if redis.acl_check_cmd then
  local checked = {}
  local function permit(command, ...)
    if denied or checked[command] then return end
    checked[command] = true
    if not redis.acl_check_cmd(command, ...) then denied = command end
  end
  for _, op in ipairs(ops) do
    if op.action ~= 'check' then
      local key = KEYS[op.key]
      local removes = op.action == 'delete' or (op.expires and op.expires <= now_us)
      if removes then permit('DEL', key) else permit('SET', key, '') end
      for _, position in ipairs(op.sets) do
        local set = KEYS[position]
        if op.kind ~= 'override' then
          permit(removes and 'SREM' or 'SADD', set, op.member)
        else
          if removes then permit('ZREM', set, op.member) else permit('ZADD', set, '0', op.member) end
          permit('ZREMRANGEBYSCORE', set, '0', '0')
        end
      end
      if op.former then permit('SREM', KEYS[op.former.key], op.member) end
      if op.alias and not op.settled then
        permit('HDEL', KEYS[op.alias.hash], '')
        if not removes then permit('HSET', KEYS[op.alias.hash], '', '') end
      end
      for _, set in ipairs(op.cascade and op.cascade.sets or {}) do
        permit(set.kind == 'override' and 'ZREM' or 'SREM', KEYS[set.all], '')
        if set.kind == 'override' then permit('ZREMRANGEBYSCORE', KEYS[set.all], '0', '0') end
      end
      if op.owner and op.owner.adopt then permit('HSET', KEYS[op.owner.hash], '', '') end
    end
  end
  if plan.adopt[1] then permit('HSETNX', KEYS[plan.adopt[1].hash], '', '') end
end
if denied then return {'denied', denied} end

-- From here on everything is decided, and only writes follow.

local wrote = false
local function write(...)
  redis.call(...)
  wrote = true
end

local gone = {}

local function forget_alias(op)
  if not op.alias or op.settled then return end
  local old = body(op.key, op.alias.field)
  -- The hint may name another record by now.
  if old and redis.call('HGET', KEYS[op.alias.hash], old) == op.member then
    write('HDEL', KEYS[op.alias.hash], old)
  end
end

-- What has expired leaves no other trace to clean up by, so every write of an override does.
local function trim(position)
  write('ZREMRANGEBYSCORE', KEYS[position], '-inf', string.format('(%.0f', now_ms))
end

local function remove(op)
  write('DEL', KEYS[op.key])
  for _, position in ipairs(op.sets) do
    if op.kind == 'override' then
      write('ZREM', KEYS[position], op.member)
      trim(position)
    else
      write('SREM', KEYS[position], op.member)
    end
  end
  if op.former then write('SREM', KEYS[op.former.key], op.member) end
  forget_alias(op)
end

-- Many at once: a cascade of thousands would otherwise keep other clients waiting.
local function in_portions(list, command)
  for from = 1, #list, 1000 do command(unpack(list, from, math.min(from + 999, #list))) end
end

local function remove_owned(cascade)
  for place, set in ipairs(cascade.sets) do
    local going = cascade.going[place]
    local keys, members = {}, {}
    for _, member in ipairs(going.members) do
      local position = going.known[member]
      -- The index of another writer may list what another flag owns by now.
      local keeps = false
      if set.kind ~= 'override' then
        local fine = pcall(value, position)
        local owner = fine and body(position, 'flag_id')
        keeps = owner and owner ~= cascade.id
      end
      if not keeps then
        keys[#keys + 1] = KEYS[position]
        members[#members + 1] = member
        gone[KEYS[position]] = true
      end
    end
    local leave = set.kind == 'override' and 'ZREM' or 'SREM'
    in_portions(keys, function(...) write('DEL', ...) end)
    in_portions(members, function(...) write(leave, KEYS[set.all], ...) end)
    write('DEL', KEYS[set.key])
    if set.kind == 'override' then trim(set.all) end
  end
end

local function put(op)
  if not op.pxat then
    write('SET', KEYS[op.key], ARGV[op.value])
  else
    write('SET', KEYS[op.key], ARGV[op.value], 'PXAT', string.format('%.0f', op.pxat))
  end
  if op.former then write('SREM', KEYS[op.former.key], op.member) end
  for _, position in ipairs(op.sets) do
    if op.kind == 'override' then
      write('ZADD', KEYS[position], op.pxat and string.format('%.0f', op.pxat) or '+inf', op.member)
      trim(position)
    else
      write('SADD', KEYS[position], op.member)
    end
  end
  if op.alias and not op.settled then write('HSET', KEYS[op.alias.hash], op.alias.name, op.member) end
end

local answer = {'ok'}
local function apply()
  for _, op in ipairs(ops) do
    if op.action == 'delete' then
      if op.cascade then remove_owned(op.cascade) end
      remove(op)
    elseif op.action == 'put' then
      -- Every alias is given up before any is taken, so that two records can swap theirs.
      forget_alias(op)
    end
  end
  for _, op in ipairs(ops) do
    local before, after = revisions[op.key] or '', ''
    if op.action == 'put' and op.expires and op.expires <= now_us then
      remove(op)
    elseif op.action == 'put' then
      put(op)
      after = redis.sha1hex(ARGV[op.value])
    elseif op.action == 'check' and not gone[KEYS[op.key]] then
      after = before
    end
    answer[#answer + 1] = before
    answer[#answer + 1] = after
  end
  for _, op in ipairs(ops) do
    -- A flag of another writer, just found to be the owner.
    if op.owner and op.owner.adopt and fate.flag[op.owner.member] == nil then
      write('HSET', KEYS[op.owner.hash], op.owner.id, op.owner.member)
    end
  end
  for _, hint in ipairs(plan.adopt) do
    -- The batch itself has had the last word on what it names.
    -- What was deleted since the caller met it is nobody's.
    if fate[hint.kind][hint.member] == nil and redis.call('TYPE', KEYS[hint.key]).ok == 'string' then
      write('HSETNX', KEYS[hint.hash], hint.name, hint.member)
    end
  end
end

local fine, failure = pcall(apply)
if fine then return answer end
-- A table from Redis 7 on, text before.
if type(failure) == 'table' then failure = failure.err end
return {wrote and 'torn' or 'refused', tostring(failure)}
