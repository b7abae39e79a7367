-- Objects, closures and strings: particles are born and die in a scene, each with a name, a trail and a function that moves it.
local count = tonumber(arg[1]) or 50000
local state = 1
local function pick(n)
  state = (state * 1103515245 + 12345) % 2147483648
  return (state // 65536) % n
end

local scene, names, sum = {}, {}, 0
for i = 1, count * 4 do
  local speed = pick(100)
  local particle = {name = "particle " .. i, trail = {}, x = pick(1000)}
  particle.move = function(self)
    self.x = self.x + speed
    self.trail[#self.trail + 1] = self.x
  end
  local place = pick(count // 4 + 1) + 1
  local before = scene[place]
  if before then
    sum = (sum * 31 + before.x + #before.trail) % 1000003
    names[before.name] = nil
  end
  scene[place] = particle
  names[particle.name] = place
  for _ = 1, 4 do
    local other = scene[pick(count // 4 + 1) + 1]
    if other then other:move() end
  end
end
local lines = {}
for _, particle in pairs(scene) do lines[#lines + 1] = particle.name .. ":" .. table.concat(particle.trail, ",") end
table.sort(lines)
for _, line in ipairs(lines) do sum = (sum * 31 + #line) % 1000003 end
print(sum, #lines)
