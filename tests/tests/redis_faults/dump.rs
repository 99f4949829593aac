//! The whole store, index keys included, at one moment.

use std::collections::BTreeMap;

use anyhow::Result;
use redis::aio::MultiplexedConnection;

/// By key: its type, when it expires, and its contents in order.
pub(crate) type Dump = BTreeMap<String, Vec<String>>;

/// One script, so that nothing changes meanwhile.
const SCRIPT: &str = r"
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local dump = {}
for _, key in ipairs(redis.call('KEYS', '*')) do
    local kind = redis.call('TYPE', key).ok
    local values = {}
    if kind == 'string' then
        values = {redis.call('GET', key)}
    elseif kind == 'set' then
        values = redis.call('SMEMBERS', key)
    elseif kind == 'zset' or kind == 'hash' then
        local flat = kind == 'zset' and redis.call('ZRANGE', key, 0, -1, 'WITHSCORES') or redis.call('HGETALL', key)
        for i = 1, #flat, 2 do
            -- The marker has a field of that name, which differs for each store.
            if flat[i] ~= 'id' then values[#values + 1] = flat[i] .. ' = ' .. flat[i + 1] end
        end
    end
    table.sort(values)
    -- In tenths of a second: the two clocks of the server may be some milliseconds apart.
    local left = redis.call('PTTL', key)
    local expires = left < 0 and 'never' or string.format('%.0f', math.floor((now + left + 50) / 100))
    local entry = {key, kind, expires}
    for _, value in ipairs(values) do
        entry[#entry + 1] = value
    end
    dump[#dump + 1] = entry
end
return dump";

pub(crate) async fn dump(raw: &mut MultiplexedConnection) -> Result<Dump> {
    let entries: Vec<Vec<Vec<u8>>> = redis::cmd("EVAL").arg(SCRIPT).arg(0).query_async(raw).await?;
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    let entries = entries.into_iter().map(|entry| entry.into_iter().map(text).collect::<Vec<_>>());
    Ok(entries.map(|mut entry| (entry.remove(0), entry)).collect())
}
