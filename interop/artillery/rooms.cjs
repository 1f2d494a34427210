// Which room an Artillery user is in: the next one, so that each gets as many.
const rooms = Number(process.env.TRIALOGUE_ROOMS);
let next = 0;
module.exports = {
  room(context, _events, done) {
    context.vars.room = `${context.vars.run}-${next++ % rooms}`;
    return done?.();
  },
};
