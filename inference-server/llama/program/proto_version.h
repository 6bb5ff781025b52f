/* Version of the messages; the same as VERSION in proto/src/lib.rs. */
#define ALPHA_PROTO_VERSION 2
