// A stand-in for the deployed NestJS backend: it behaves as contract/DEPLOYED.md says, quirks
// included, and as nothing else. In memory, on loopback, no module of ours.
//
// Prints one ready line, ends with its standard input. Arguments: [TOKEN_SECONDS].
// Routes under /stand-in/ are for tests: they choose which quirk comes next, and do what no client can.

import { createServer } from "node:http";
import { createHmac, randomUUID, timingSafeEqual } from "node:crypto";
import { Server } from "socket.io";

const SECRET = process.env.STM_SECRET ?? randomUUID();
const TOKEN_S = Number(process.argv[2] ?? 7200);
const REFRESH_S = 7 * 86400;
const PAYLOAD_MAX = 1_000_000;

const users = new Map(); // by id
const profiles = { customer: new Map(), service_provider: new Map(), local_service_manager: new Map() };
const services = [
  { id: 1, name: "Carpentry", description: null, category: "Home" },
  { id: 2, name: "Plumbing", description: null, category: "Home" },
];
const jobs = new Map();
const chats = new Map();
const messages = [];
const disputes = new Map();
const notifications = [];
/** Profile ids and user ids never meet, so that a client that mixes them up is found out. */
const ids = { profile: 500, job: 40, dispute: 0 };
/**
 * What a test chooses. Of old versions: `oldLists` (other paths), `noUserIds` (their rows tell no user
 * ids), `double` (a message goes to the room and to each recipient's own room), `camelOffers` (offers
 * in the other shape). `autoMessage`: what a provider says by itself to whoever books. So many of the
 * next: `afterStored` messages are stored and called a failure, `silently` vanish, `collide`
 * registrations answer 500, `brokenDetails` disputes do. `storeMs`: how long storing takes.
 */
const quirks = {
  oldLists: false, noUserIds: false, double: false, camelOffers: false, autoMessage: null,
  afterStored: 0, silently: 0, collide: 0, brokenDetails: 0, storeMs: 8,
};
/** Whether this one is to go wrong; one less then. */
const strikes = (quirk) => quirks[quirk] > 0 && (quirks[quirk] -= 1) >= 0;
/** Counts the lives of the server: what one of them was doing ends with it, what it stored stays. */
let life = 1;

// ---- tokens -------------------------------------------------------------------------------------

const encode = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
const mac = (text) => createHmac("sha256", SECRET).update(text).digest();

function sign(user, seconds) {
  const iat = Math.floor(Date.now() / 1000);
  const { email, id: sub, role } = user;
  const text = `${encode({ alg: "HS256", typ: "JWT" })}.${encode({ email, sub, role, iat, exp: iat + seconds })}`;
  return `${text}.${mac(text).toString("base64url")}`;
}

/** The user of a token, access or refresh: the server does not tell them apart. */
function verify(token) {
  const [head, body, signature] = String(token ?? "").split(".");
  const given = Buffer.from(signature ?? "", "base64url");
  const expected = mac(`${head}.${body}`);
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) return null;
  const claims = JSON.parse(Buffer.from(body, "base64url"));
  return claims.exp > Date.now() / 1000 ? users.get(claims.sub) : null;
}

/** `refresh` is a bcrypt hash of 72 bytes there: any token of the user matches, until logout. */
function tokens(user) {
  user.refreshable = true;
  return { accessToken: sign(user, TOKEN_S), refreshToken: sign(user, REFRESH_S) };
}

// ---- answers ------------------------------------------------------------------------------------

class Refused extends Error {
  constructor(status, message, error) {
    super();
    this.body = { statusCode: status, message, ...(error && { error }) };
  }
}
const bad = (message) => new Refused(400, message, "Bad Request");
const denied = (message) => new Refused(403, message, "Forbidden");
const missing = (message) => new Refused(404, message, "Not Found");
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
/** Prisma throws on these before anybody looks: a bare 500. */
const uuid = (text) => {
  if (!UUID.test(text)) throw new Refused(500, "Internal server error");
  return text;
};
const needs = (body, ...fields) => {
  const absent = fields.filter((field) => body[field] === undefined || body[field] === "");
  if (absent.length) throw bad(absent.map((field) => `${field} should not be empty`));
};

const me = (user, role) => {
  if (role && user.role !== role) throw denied("Forbidden resource");
  return user.profile;
};
const publicUser = ({ id, email, firstName, lastName, role }) => ({ id, email, firstName, lastName, role });
const names = (user) => `${user.firstName} ${user.lastName}`;
const UNKNOWN = "Unknown User";
const userOf = (kind, profile) => users.get(profiles[kind].get(profile).userId);

function notify(user, type, title, message, live) {
  const row = {
    id: randomUUID(), recipient_type: user.role, recipient_id: user.id, type, title, message,
    is_read: false, created_at: new Date().toISOString(),
  };
  notifications.unshift(row);
  if (live) chat.to(`user:${user.id}`).emit("notification:created", { notification: row });
}

function say(chatRow, user, text, kind = "text", name = names(user)) {
  const row = {
    id: randomUUID(), chat_id: chatRow.id, sender_type: user.role, sender_id: user.id,
    message_type: kind, message: text, created_at: new Date().toISOString(), sender_name: name,
  };
  messages.push(row);
  return row;
}
const wire = (row) => ({
  id: row.id, chatId: row.chat_id, sender_type: row.sender_type, sender_id: row.sender_id,
  sender_name: row.sender_name, message: row.message, message_type: row.message_type,
  created_at: row.created_at,
});

/** The users of a chat: an LSM only while it is joined. */
function members(row) {
  const all = [userOf("customer", row.customer), userOf("service_provider", row.provider)];
  return row.lsm ? [...all, userOf("local_service_manager", row.lsm)] : all;
}
const isIn = (row, user) => members(row).includes(user);

function lastMessage(row) {
  const last = messages.filter((message) => message.chat_id === row.id).at(-1);
  if (!last) return null;
  const { sender_name: _, ...raw } = last;
  return raw;
}

function listed(row, role) {
  const job = jobs.get(row.job);
  const provider = profiles.service_provider.get(row.provider);
  const service = services.find((one) => one.id === job.service);
  const customerUser = userOf("customer", row.customer);
  const providerUser = users.get(provider.userId);
  const base = {
    id: row.id,
    job: { id: job.id, service: { name: service.name, category: service.category }, status: job.status },
    lastMessage: lastMessage(row), created_at: row.created_at,
  };
  const told = (id) => (quirks.noUserIds ? undefined : id);
  const asProvider = {
    id: provider.id, userId: told(providerUser.id), businessName: provider.businessName ?? null,
    user: { id: told(providerUser.id), first_name: providerUser.firstName, last_name: providerUser.lastName, profile_picture: null },
  };
  const customer = { name: names(customerUser), profilePicture: null };
  if (role === "customer") return { ...base, provider: asProvider };
  if (role === "provider") return { ...base, customer: { userId: told(customerUser.id), ...customer } };
  return {
    ...base, customer, provider: asProvider, lsm_invited: row.lsm_invited, lsm_joined: row.lsm_joined,
    lsm_joined_at: row.lsm_joined_at,
  };
}

function list(role) {
  const kind = { customer: "customer", provider: "service_provider", lsm: "local_service_manager" }[role];
  const column = { customer: "customer", provider: "provider", lsm: "lsm" }[role];
  return ({ user }) => {
    const profile = me(user, kind);
    const mine = [...chats.values()].filter((row) => row.is_active && !row.is_deleted && row[column] === profile.id);
    return mine.reverse().map((row) => listed(row, role));
  };
}

const jobOf = (id, owner, user) => {
  const job = jobs.get(Number(id));
  if (!job) throw missing("Job not found");
  if (job[owner] !== user.profile.id) throw denied("Not your job");
  return job;
};
const chatOf = (job) => [...chats.values()].find((row) => row.job === job.id);

function disputeOf(id, user) {
  me(user, "local_service_manager");
  const dispute = disputes.get(Number(id));
  if (!dispute) throw missing("Dispute not found");
  if (profiles.service_provider.get(jobs.get(dispute.job).provider).lsm !== user.profile.id) {
    throw denied("Not the LSM of this provider");
  }
  return dispute;
}

// ---- routes -------------------------------------------------------------------------------------

async function register({ body }) {
  needs(body, "email", "password", "firstName", "lastName", "phoneNumber", "role");
  if (!/^\+?1?[-. (]*\d{3}[-. )]*\d{3}[-. ]*\d{4}$/.test(body.phoneNumber)) throw bad(["phoneNumber must be a US number"]);
  if ([...users.values()].some((user) => user.email === body.email)) throw new Refused(409, "Email already registered", "Conflict");
  const role = { CUSTOMER: "customer", PROVIDER: "service_provider", LSM: "local_service_manager", ADMIN: "admin" }[body.role];
  if (!role) throw bad(["role must be one of CUSTOMER, PROVIDER, LSM, ADMIN"]);
  const profile = { id: ++ids.profile };
  if (role === "service_provider") {
    if (!body.state) throw bad("state is required");
    const serves = (one) => one.region === body.state && (!body.area || one.area === body.area);
    const lsm = [...profiles.local_service_manager.values()].find(serves);
    if (!lsm) throw bad("No active LSM for this region");
    const service = services.find((one) => one.name === body.serviceType);
    Object.assign(profile, { businessName: body.businessName, lsm: lsm.id, status: "pending", zips: body.zipCodes ?? [], services: service ? [service.id] : [] });
  }
  if (role === "local_service_manager") {
    if (!body.state || !body.area) throw bad("state and area are required");
    const same = (one) => one.region === body.state && one.area === body.area;
    if ([...profiles.local_service_manager.values()].some(same)) {
      throw new Refused(409, "An active LSM already covers this area", "Conflict");
    }
    Object.assign(profile, { region: body.state, area: body.area });
  }
  // The next id is looked up before it is taken: who comes in between gets the same one.
  const id = Math.max(0, ...users.keys()) + 1;
  await database();
  if (strikes("collide") || users.has(id)) throw new Refused(500, "Internal server error");
  const user = { id, email: body.email, password: body.password, firstName: body.firstName, lastName: body.lastName, role, profile };
  profile.userId = user.id;
  users.set(user.id, user);
  profiles[role]?.set(profile.id, profile);
  return { user: publicUser(user), ...tokens(user) };
}

function login({ body }) {
  if (!body.email || !body.password) throw new Refused(401, "Unauthorized");
  const user = [...users.values()].find((one) => one.email === body.email);
  if (!user || user.password !== body.password) throw new Refused(401, "Invalid credentials", "Unauthorized");
  return { user: publicUser(user), ...tokens(user) };
}

function refresh({ body }) {
  needs(body, "refreshToken");
  const user = verify(body.refreshToken);
  if (!user?.refreshable) throw new Refused(401, "Invalid refresh token", "Unauthorized");
  return tokens(user);
}

function createJob({ user, body }) {
  const customer = me(user, "customer");
  needs(body, "serviceId", "providerId", "zipcode");
  const provider = profiles.service_provider.get(Number(body.providerId));
  if (!provider || provider.status !== "active") throw bad("Provider not found or not active");
  if (!provider.services.includes(Number(body.serviceId))) throw bad("Provider does not offer this service");
  if (!provider.zips.includes(body.zipcode)) throw bad("Provider does not serve this ZIP code");
  // The column takes no null.
  if (body.location === undefined) throw new Refused(500, "Internal server error");
  const now = new Date().toISOString();
  const job = {
    id: ++ids.job, customer: customer.id, provider: provider.id, service: Number(body.serviceId), status: "new",
    accepted: false, location: body.location, price: Number(body.customerBudget ?? 0), scheduled_at: body.preferredDate ?? null, created_at: now,
  };
  const row = {
    id: randomUUID(), job: job.id, customer: customer.id, provider: provider.id, lsm: null, is_active: true,
    is_deleted: false, lsm_invited: false, lsm_joined: false, lsm_joined_at: null, created_at: now,
  };
  jobs.set(job.id, job);
  chats.set(row.id, row);
  say(row, user, `Request: ${JSON.stringify(body.answers ?? {})}`);
  notify(users.get(provider.userId), "job", "New job request", "You have a new job request", true);
  if (quirks.autoMessage) {
    // Before the answer, for a chat that nobody has heard of; and to a profile's id, which is a
    // stranger's if it is a user's.
    const said = wire(say(row, users.get(provider.userId), quirks.autoMessage));
    chat.to(`user:${user.id}`).to(`user:${provider.id}`).emit("new_message", said);
  }
  const service = services.find((one) => one.id === job.service).name;
  return {
    job: { id: job.id, service, status: "new", location: job.location, scheduled_at: job.scheduled_at, created_at: now },
    chat: { id: row.id, created_at: now }, message: "Job created",
  };
}

function history({ user, params }) {
  const row = chats.get(uuid(params[0]));
  if (!row) throw missing("Chat not found");
  if (!isIn(row, user)) throw denied("Access denied");
  const mine = messages.filter((message) => message.chat_id === row.id);
  // By time alone: equal milliseconds keep no promise.
  mine.sort((a, b) => (a.created_at < b.created_at ? -1 : a.created_at > b.created_at ? 1 : 0));
  const here = members(row).map((one) => one.id);
  const named = (one) => (here.includes(one.sender_id) ? one.sender_name : UNKNOWN);
  return { chatId: row.id, messages: mine.map(({ chat_id: _, ...rest }) => ({ ...rest, sender_name: named(rest) })) };
}

/** Chat and messages are gone, and nothing on the socket says so. */
function hardDelete(row) {
  chats.delete(row.id);
  for (let at = messages.length - 1; at >= 0; at--) if (messages[at].chat_id === row.id) messages.splice(at, 1);
}

function respond({ user, params, body }) {
  me(user, "service_provider");
  const job = jobOf(params[0], "provider", user);
  if (body.action === "reject" && job.status === "new") {
    needs(body, "reason");
    job.status = "rejected_by_sp";
    hardDelete(chatOf(job));
    notify(userOf("customer", job.customer), "job", "Job rejected", body.reason, true);
    return { jobId: job.id, status: job.status, action: "rejected", message: "ok", reason: body.reason };
  }
  if (body.action !== "accept" || job.status !== "new") throw bad("Only new jobs can be accepted");
  job.accepted = true;
  say(chatOf(job), user, "I accept this job");
  notify(userOf("customer", job.customer), "job", "Job accepted", "Your job was accepted", true);
  return { jobId: job.id, status: job.status, action: "accepted", message: "ok", spAccepted: true };
}

function customerAction({ user, params, body }) {
  me(user, "customer");
  const job = jobOf(params[0], "customer", user);
  if (body.action === "close_deal") {
    if (!job.accepted || job.status !== "new") throw bad("The provider has not accepted");
    job.status = "in_progress";
  } else if (body.action === "cancel") {
    needs(body, "cancellationReason");
    job.status = "cancelled";
  } else throw bad("unknown action");
  return { message: "ok" };
}

function updateStatus({ user, params, body }) {
  me(user, "service_provider");
  const job = jobOf(params[0], "provider", user);
  if (body.action !== "mark_complete" || job.status !== "in_progress") throw bad("Only jobs in progress can be completed");
  job.status = "completed";
  return { jobId: job.id, status: job.status };
}

function openDispute({ user, body }) {
  me(user, "customer");
  if (!Number.isInteger(body.jobId)) throw bad(["jobId must be an integer number"]);
  needs(body, "description");
  const job = jobOf(body.jobId, "customer", user);
  if (!["completed", "paid"].includes(job.status)) throw bad("Disputes are for completed or paid jobs");
  const dispute = { id: ++ids.dispute, job: job.id, status: "pending", created_at: new Date().toISOString(), resolved_at: null };
  disputes.set(dispute.id, dispute);
  chatOf(job).lsm_invited = true;
  const provider = profiles.service_provider.get(job.provider);
  // Rows only: nothing of a dispute is ever emitted.
  notify(userOf("local_service_manager", provider.lsm), "system", "New dispute", `Dispute for job ${job.id}`, false);
  notify(users.get(provider.userId), "system", "Dispute filed", `Dispute for job ${job.id}`, false);
  return { disputeId: dispute.id, message: "Dispute filed" };
}

function disputeRow(dispute) {
  const job = jobs.get(dispute.job);
  const row = chatOf(job);
  const customer = userOf("customer", job.customer);
  return {
    id: dispute.id, job: { id: job.id, service: services.find((one) => one.id === job.service).name, price: job.price },
    customer: { id: job.customer, name: names(customer) }, provider: { id: job.provider, businessName: null },
    raisedBy: "customer", status: dispute.status,
    chatStatus: { lsmInvited: row.lsm_invited, lsmJoined: row.lsm_joined },
    createdAt: dispute.created_at, resolvedAt: dispute.resolved_at,
  };
}

function listDisputes({ user, query }) {
  const lsm = me(user, "local_service_manager");
  const status = query.get("status");
  if (status && !["pending", "resolved"].includes(status)) throw new Refused(500, "Internal server error");
  const mine = [...disputes.values()].filter((one) => profiles.service_provider.get(jobs.get(one.job).provider).lsm === lsm.id);
  const wanted = mine.filter((one) => !status || one.status === status);
  const limit = Math.min(Number(query.get("limit") ?? 20), 100);
  const page = Number(query.get("page") ?? 1);
  const pagination = { total: wanted.length, page, limit, totalPages: Math.ceil(wanted.length / limit) };
  return { data: wanted.slice((page - 1) * limit, page * limit).map(disputeRow), pagination };
}

function disputeDetails({ user, params }) {
  if (strikes("brokenDetails")) throw new Refused(500, "Internal server error");
  const dispute = disputeOf(params[0], user);
  const { chatStatus, job, ...own } = disputeRow(dispute);
  const row = chatOf(jobs.get(dispute.job));
  return {
    dispute: { id: own.id, status: own.status, raisedBy: own.raisedBy, resolvedBy: null, createdAt: own.createdAt, resolvedAt: own.resolvedAt },
    job, customer: own.customer, provider: own.provider,
    chatStatus: { chatId: row.id, ...chatStatus, lsmJoinedAt: row.lsm_joined_at },
    chatHistory: messages.filter((message) => message.chat_id === row.id).map((message) => ({
      id: message.id, senderType: message.sender_type, message: message.message, messageType: message.message_type, createdAt: message.created_at,
    })),
  };
}

function joinDispute({ user, params }) {
  const dispute = disputeOf(params[0], user);
  const row = chatOf(jobs.get(dispute.job));
  if (!row.lsm_invited) throw bad("LSM is not invited");
  if (row.lsm_joined) throw bad("LSM has already joined");
  Object.assign(row, { lsm: user.profile.id, lsm_joined: true, lsm_joined_at: new Date().toISOString() });
  members(row).filter((one) => one !== user).forEach((one) => notify(one, "system", "LSM joined", "An LSM joined your chat", false));
  return { chatId: row.id, disputeId: dispute.id, message: "joined" };
}

function resolveDispute({ user, params, body }) {
  const dispute = disputeOf(params[0], user);
  needs(body, "resolutionNotes");
  if (dispute.status === "resolved") throw bad("Dispute is already resolved");
  const row = chatOf(jobs.get(dispute.job));
  members(row).filter((one) => one !== user).forEach((one) => notify(one, "system", "Dispute resolved", body.resolutionNotes, false));
  Object.assign(dispute, { status: "resolved", resolved_at: new Date().toISOString() });
  // Its socket stays in the room.
  Object.assign(row, { lsm: null, lsm_invited: false, lsm_joined: false });
  return { id: dispute.id, status: "resolved", resolvedBy: user.id, resolvedAt: dispute.resolved_at, message: "resolved" };
}

const mine = (user) => notifications.filter((one) => one.recipient_id === user.id);
function listNotifications({ user, query }) {
  let rows = mine(user);
  const total = rows.length;
  const read = query.get("is_read");
  // Any text that is not empty is true.
  if (read !== null) rows = rows.filter((one) => one.is_read === (read !== ""));
  const [limit, offset] = [Number(query.get("limit") ?? 20), Number(query.get("offset") ?? 0)];
  const page = rows.slice(offset, offset + limit).map((one) => ({ ...one, metadata: { priority: "normal" } }));
  return { notifications: page, total, limit, offset, unreadCount: mine(user).filter((one) => !one.is_read).length };
}
function readNotification({ user, params }) {
  const row = notifications.find((one) => one.id === uuid(params[0]));
  if (!row) throw missing("Notification not found");
  if (row.recipient_id !== user.id) throw denied("Not yours");
  row.is_read = true;
  return row;
}
function readAll({ user }) {
  const unread = mine(user).filter((one) => !one.is_read);
  unread.forEach((one) => (one.is_read = true));
  return { count: unread.length };
}

function providersOf({ params }) {
  const service = services.find((one) => one.id === Number(params[0]));
  if (!service) throw missing("Service not found");
  const found = [...profiles.service_provider.values()].filter((one) => one.status === "active" && one.services.includes(service.id));
  return {
    service, providers: found.map((one) => ({
      id: one.id, businessName: one.businessName ?? null, ownerName: names(users.get(one.userId)), rating: 0, totalJobs: 0,
      location: null, serviceAreas: one.zips,
    })),
  };
}
function setStatus({ user, params, body }) {
  me(user, "local_service_manager");
  const provider = profiles.service_provider.get(Number(params[0]));
  if (!provider) throw missing("Provider not found");
  provider.status = body.status;
  return { id: provider.id, status: provider.status };
}
function customerJobs({ user }) {
  const own = [...jobs.values()].filter((job) => job.customer === me(user, "customer").id);
  return own.map((job) => {
    const service = services.find((one) => one.id === job.service);
    return { id: job.id, status: job.status, service, provider: { id: job.provider }, location: job.location, scheduled_at: job.scheduled_at, completed_at: null, created_at: job.created_at };
  });
}
function providerJobs({ user, query }) {
  const own = [...jobs.values()].filter((job) => job.provider === me(user, "service_provider").id);
  const data = own.map((job) => ({
    id: job.id, service: services.find((one) => one.id === job.service).name, status: job.status, price: job.price,
    scheduledAt: job.scheduled_at, createdAt: job.created_at, chatId: chatOf(job)?.id ?? null,
  }));
  const [page, limit] = [Number(query.get("page") ?? 1), Math.min(Number(query.get("limit") ?? 20), 100)];
  const pagination = { total: data.length, page, limit, totalPages: Math.ceil(data.length / limit) };
  return { data: data.slice((page - 1) * limit, page * limit), pagination };
}

// ---- negotiation: stored, and said to the personal rooms of both, the actor included ------------

function negotiator(user, id) {
  const job = jobs.get(Number(id));
  if (!job) throw bad("Job not found");
  const parties = [userOf("customer", job.customer), userOf("service_provider", job.provider)];
  if (!parties.includes(user)) throw denied("Not a party of this job");
  return { job, parties };
}
function sayOffer({ job, parties }, user, text) {
  // A provider speaks under the name of the business.
  const said = say(chatOf(job), user, text, "text", user.profile.businessName ?? names(user));
  const body = quirks.camelOffers ? camelOf(said, job) : wire(said);
  parties.forEach((one) => chat.to(`user:${one.id}`).emit("new_message", body));
  return body;
}
function sendOffer({ user, body }) {
  const at = negotiator(user, body.job_id);
  const offer = {
    offered_by: user.role, offered_by_name: names(user), offered_at: new Date().toISOString(), original_price: at.job.price,
    proposed_price: body.proposed_price, original_date: at.job.scheduled_at, proposed_date: body.proposed_date, notes: body.notes, status: "pending",
  };
  at.job.offer = offer;
  sayOffer(at, user, `Offer: ${body.proposed_price ?? "-"} ${body.notes ?? ""}`.trim());
  return { success: true, message: "ok", offer };
}
function answerOffer({ user, body }) {
  const at = negotiator(user, body.job_id);
  if (at.job.offer?.status !== "pending") throw bad("No pending offer");
  const action = { accept: "accepted", decline: "declined", counter: "countered" }[body.action];
  if (!action) throw bad("unknown action");
  if (action === "countered" && (!body.counter_proposed_price || !body.counter_proposed_date)) throw bad("A counter offer needs price and date");
  Object.assign(at.job.offer, action === "countered" ? { proposed_price: body.counter_proposed_price } : { status: action });
  if (action === "accepted") Object.assign(at.job, { accepted: true, price: at.job.offer.proposed_price ?? at.job.price });
  const messageData = sayOffer(at, user, `Offer ${action}`);
  return { success: true, message: "ok", action, messageData };
}
function offerHistory({ user, params }) {
  const { job } = negotiator(user, params[0]);
  const pending = job.offer?.status === "pending";
  return {
    job_id: job.id, current_status: pending ? "awaiting_response" : "no_active_negotiation", current_offer: job.offer ?? null,
    original_price: job.price, original_date: job.scheduled_at,
  };
}

/** The other shape of a message. */
const camelOf = (said, job) => ({
  id: said.id, chatId: said.chat_id, jobId: job.id, senderId: said.sender_id, senderName: said.sender_name,
  senderRole: said.sender_type, content: said.message, timestamp: said.created_at, type: said.message_type,
});

/** A message of the AI flow: to the room. */
function camel({ body }) {
  const row = chats.get(body.chatId);
  const said = say(row, userOf("service_provider", row.provider), body.text);
  chat.to(row.id).emit("new_message", camelOf(said, jobs.get(row.job)));
  return { id: said.id };
}

/** A payment's link: its sender is a profile, and a customer in the room gets it twice. */
function payment({ body }) {
  const row = chats.get(body.chatId);
  const provider = userOf("service_provider", row.provider);
  const said = say(row, provider, body.text);
  said.sender_id = row.provider;
  const told = { ...wire(said), paymentLink: "https://pay.example", amount: 80 };
  chat.to(row.id).emit("new_message", told);
  chat.to(`user:${userOf("customer", row.customer).id}`).emit("new_message", told);
  return { id: said.id };
}

/** A job for each of so many, as if they had been booked one by one. */
function manyJobs({ body }) {
  const row = chats.get(body.chatId);
  for (let n = 0; n < body.count; n++) {
    const job = { ...jobs.get(row.job), id: ++ids.job };
    jobs.set(job.id, job);
    const id = randomUUID();
    chats.set(id, { ...row, id, job: job.id });
  }
  return { last: ids.job };
}

/** Killed and started again on the same port after `downMs`, with what it had stored. */
function restart({ body }) {
  const { port } = http.address();
  setImmediate(() => {
    life += 1;
    http.close();
    connections.forEach((one) => one.destroy());
    setTimeout(() => http.listen(port, "127.0.0.1"), body.downMs);
  });
  return { life };
}

const open = { open: true };
const ok = { status: 200 };
const ROUTES = [
  ["POST", "/auth/register", register, open],
  ["POST", "/auth/login", login, { ...open, ...ok }],
  ["POST", "/auth/refresh", refresh, { ...open, ...ok }],
  ["POST", "/auth/logout", ({ user }) => ((user.refreshable = false), { message: "bye" }), ok],
  ["GET", "/auth/me", ({ user }) => publicUser(user)],
  ["GET", "/auth/profile", ({ user }) => ({ ...publicUser(user), roleData: user.profile })],
  ["GET", "/health", () => ({ status: "ok", timestamp: new Date().toISOString(), service: "stand-in" }), open],
  ["GET", "/services", () => ({ services, total: services.length }), open],
  ["GET", "/services/([^/]+)/providers", providersOf, open],
  ["POST", "/lsm/providers/(\\d+)/set-status", setStatus, ok],
  ["POST", "/jobs/create", createJob],
  ["GET", "/customer/jobs", customerJobs],
  ["GET", "/provider/jobs", providerJobs],
  ["POST", "/provider/jobs/(\\d+)/respond", respond, ok],
  ["POST", "/provider/jobs/(\\d+)/update-status", updateStatus, ok],
  ["POST", "/customers/jobs/(\\d+)/action", customerAction, ok],
  ...["customer", "provider", "lsm"].flatMap((role) => [
    ["GET", `/chat/${role}/chats`, list(role), { when: () => !quirks.oldLists }],
    ["GET", `/${role}/chats`, list(role), { when: () => quirks.oldLists }],
  ]),
  ["GET", "/chat/([^/]+)/messages", history],
  ["POST", "/chat/negotiation/send-offer", sendOffer],
  ["POST", "/chat/negotiation/respond", answerOffer],
  ["GET", "/chat/negotiation/job/(\\d+)/history", offerHistory],
  ["POST", "/customers/disputes", openDispute],
  ["GET", "/lsm/disputes", listDisputes],
  ["GET", "/lsm/disputes/(\\d+)", disputeDetails],
  ["POST", "/lsm/disputes/(\\d+)/join-chat", joinDispute, ok],
  ["POST", "/lsm/disputes/(\\d+)/resolve", resolveDispute, ok],
  ["GET", "/notifications", listNotifications],
  ["PATCH", "/notifications/mark-all-read", readAll],
  ["PATCH", "/notifications/([^/]+)/read", readNotification],
  ["POST", "/stand-in/quirks", ({ body }) => Object.assign(quirks, body), open],
  ["POST", "/stand-in/camel", camel, open],
  ["POST", "/stand-in/payment", payment, open],
  ["POST", "/stand-in/jobs", manyJobs, open],
  ["POST", "/stand-in/chat/([^/]+)", ({ params, body }) => Object.assign(chats.get(params[0]), body), open],
  ["POST", "/stand-in/restart", restart, open],
  ["GET", "/stand-in/rows/([^/]+)", ({ params }) => messages.filter((row) => row.chat_id === params[0]), open],
].map(([method, path, run, options = {}]) => ({ method, path: new RegExp(`^${path}$`), run, ...options }));

async function answer(request, response) {
  const url = new URL(request.url, "http://stand-in");
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const reply = (status, body) => {
    response.writeHead(status, { "content-type": "application/json" });
    response.end(JSON.stringify(body));
  };
  try {
    for (const { method, path, run, open: isOpen, status, when } of ROUTES) {
      const found = method === request.method && (when?.() ?? true) && path.exec(url.pathname);
      if (!found) continue;
      const text = Buffer.concat(chunks).toString();
      let body = {};
      try {
        body = text ? JSON.parse(text) : {};
      } catch (error) {
        throw bad(error.message);
      }
      const user = verify(/^Bearer (.+)$/.exec(request.headers.authorization ?? "")?.[1]);
      if (!isOpen && !user) throw new Refused(401, "Unauthorized");
      const result = await run({ user, body, query: url.searchParams, params: found.slice(1) });
      return reply(status ?? (method === "POST" ? 201 : 200), result);
    }
    throw missing(`Cannot ${request.method} ${url.pathname}`);
  } catch (error) {
    if (error instanceof Refused) return reply(error.body.statusCode, error.body);
    return reply(500, { statusCode: 500, message: "Internal server error" });
  }
}

// ---- the gateway --------------------------------------------------------------------------------

const http = createServer(answer);
http.keepAliveTimeout = 5000;
const connections = new Set();
http.on("connection", (one) => {
  connections.add(one);
  one.on("close", () => connections.delete(one));
});
const io = new Server(http, { maxHttpBufferSize: PAYLOAD_MAX });
const chat = io.of("/chat");

/** Its handlers run beside each other: what is quick may overtake. */
function database(most = 8) {
  const began = life;
  return new Promise((done, failed) => {
    setTimeout(() => (life === began ? done() : failed(new Error("killed"))), Math.random() * most);
  });
}

chat.on("connection", (socket) => {
  const bearer = /^Bearer (.+)$/.exec(socket.handshake.headers.authorization ?? "")?.[1];
  const token = socket.handshake.auth?.token ?? bearer;
  if (!token) return socket.disconnect();
  const user = verify(token);
  if (!user) {
    socket.emit("error", { message: "Authentication failed" });
    return socket.disconnect();
  }
  socket.join(`user:${user.id}`);
  socket.emit("connected", { message: "Connected to chat", userId: user.id });
  const error = (message) => socket.emit("error", { message });
  const on = (name, handler, generic) =>
    socket.on(name, async (body) => {
      try {
        await handler(body);
      } catch {
        // No acknowledgement, whatever the client asked for.
        if (generic) error(generic);
      }
    });

  on("join_chat", async ({ chatId }) => {
    if (!chatId) return error("chatId is required");
    const row = chats.get(uuid(chatId));
    await database();
    if (!row) return error("Chat not found");
    if (!isIn(row, user)) return error("Access denied to this chat");
    socket.join(chatId);
    socket.emit("joined_chat", { chatId, message: "Joined chat" });
    socket.to(chatId).emit("user_joined", { userId: user.id, chatId });
  }, "Failed to join chat");

  on("leave_chat", ({ chatId }) => {
    socket.leave(chatId);
    socket.emit("left_chat", { chatId });
    socket.to(chatId).emit("user_left", { userId: user.id, chatId });
  }, "Failed to leave chat");

  on("send_message", async ({ chatId, message, message_type: kind = "text" }) => {
    if (!chatId || !message) return error("chatId and message are required");
    if (strikes("silently")) return;
    const row = chats.get(uuid(chatId));
    await database(quirks.storeMs);
    if (!row) return error("Chat not found");
    if (!row.is_active) return error("Chat is no longer active");
    if (!isIn(row, user)) return error("Access denied to this chat");
    if (!["text", "image", "document"].includes(kind)) throw new Error("enum");
    const said = say(row, user, message, kind);
    socket.to(chatId).emit("new_message", wire(said));
    const others = members(row).filter((one) => one !== user);
    if (quirks.double) others.forEach((one) => chat.to(`user:${one.id}`).emit("new_message", wire(said)));
    if (strikes("afterStored")) throw new Error("a notification failed");
    for (const other of others) {
      await database();
      notify(other, "message", `New message [chat:${chatId}]`, message.slice(0, 100), true);
    }
  }, "Failed to send message");

  // Nobody checks who says these, and nothing is stored.
  on("typing", ({ chatId, isTyping }) => {
    if (chatId) socket.to(chatId).emit("user_typing", { userId: user.id, isTyping, chatId });
  });
  on("mark_read", ({ chatId }) => {
    if (chatId) socket.to(chatId).emit("messages_read", { userId: user.id, chatId });
  });
});

http.listen(0, "127.0.0.1");
http.once("listening", () => {
  console.log(JSON.stringify({ type: "ready", url: `http://127.0.0.1:${http.address().port}` }));
});
process.stdin.resume();
process.stdin.on("end", () => process.exit(0));
