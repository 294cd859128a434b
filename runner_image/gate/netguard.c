/* netguard UID PATIENCE RULE...: shut the network namespace that it runs in, lay down every power, hold the namespace.
 *
 * The first process of the container whose network the tasks of a job join.  It starts as root of that container
 * with CAP_NET_ADMIN, CAP_SETUID and CAP_SETGID, and puts packet rules (nf_tables) into its own namespace, none
 * into the host's.  The tasks that join have no capability, so they can't take them away.  Rules, and not routes: a
 * socket that is bound to a device sends past a route that prohibits.
 *
 *   +ADDRESS[/BITS]   may be sent to            -ADDRESS[/BITS]   may not
 *   +dns              port 53 of the name servers in /etc/resolv.conf may be sent to
 *   -link             what shares the link may not: the networks of this namespace's own addresses
 *
 * The first rule that fits decides; to what none fits, nothing is sent.  Within the namespace everything goes.
 * From outside comes in what was asked for from within, and nothing else; nothing is passed on to others.
 *
 * All rules take effect at once or none does.  Then it becomes UID, without capabilities, and writes the line
 * "guarded": before that, nobody may join.  It ends on SIGTERM, and when nobody has sent SIGHUP for PATIENCE seconds:
 * a manager that never comes back is no reason to stay for ever.  What can't be done is said in one line on standard
 * error, and it ends: 64 for a wrong call, 69 where the kernel refuses. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <grp.h>
#include <ifaddrs.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <net/if.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { EXIT_CALL = 64, EXIT_REFUSED = 69 };
enum { MOST_BYTES = 1 << 20, LOOPBACK = 1 /* the index of `lo` in every namespace */, DNS = 53 };
static const char TABLE[] = "air-executor";

static _Noreturn void refused(const char *what)
{
    dprintf(2, "netguard: %s: %s\n", what, strerror(errno));
    _exit(EXIT_REFUSED);
}

static _Noreturn void wrong_call(const char *what, const char *word)
{
    dprintf(2, "netguard: %s: %s\n", what, word);
    _exit(EXIT_CALL);
}

/* --- Netlink: one batch of messages, of attributes in attributes ------------------------------------------- */

static char batch[MOST_BYTES];
static size_t used;
static struct nlmsghdr *message;

static void *room(size_t size)
{
    void *place = batch + used;
    if (size > sizeof batch - used - NLMSG_ALIGNTO) wrong_call("too many rules", "they don't fit into a message");
    used += NLMSG_ALIGN(size); /* the batch was zero */
    return place;
}

static void begin_message(int type, int flags, int family, int resource)
{
    static unsigned sequence;
    message = room(NLMSG_HDRLEN);
    message->nlmsg_type = (unsigned short)type;
    message->nlmsg_flags = (unsigned short)(NLM_F_REQUEST | flags);
    message->nlmsg_seq = ++sequence;
    struct nfgenmsg *header = room(sizeof *header);
    header->nfgen_family = (unsigned char)family;
    header->version = NFNETLINK_V0;
    header->res_id = htons((unsigned short)resource);
}

static void end_message(void) { message->nlmsg_len = (unsigned)(batch + used - (char *)message); }

static void begin_nft(int type, int flags)
{
    begin_message(NFNL_SUBSYS_NFTABLES << 8 | type, flags, NFPROTO_INET, 0);
}

static void put(int type, const void *data, size_t size)
{
    struct nlattr *attribute = room(NLA_HDRLEN);
    attribute->nla_type = (unsigned short)type;
    attribute->nla_len = (unsigned short)(NLA_HDRLEN + size);
    memcpy(room(size), data, size);
}

static void put_text(int type, const char *text) { put(type, text, strlen(text) + 1); }

static void put_number(int type, int number)
{
    unsigned ordered = htonl((unsigned)number);
    put(type, &ordered, sizeof ordered);
}

static struct nlattr *open_list(int type)
{
    struct nlattr *attribute = room(NLA_HDRLEN);
    attribute->nla_type = (unsigned short)(type | NLA_F_NESTED);
    return attribute;
}

static void close_list(struct nlattr *list) { list->nla_len = (unsigned short)(batch + used - (char *)list); }

static void put_value(int type, const void *data, size_t size)
{
    struct nlattr *value = open_list(type);
    put(NFTA_DATA_VALUE, data, size);
    close_list(value);
}

/* --- Chains, and the expressions that rules consist of ------------------------------------------------------ */

static void add_chain(const char *name, int hook, int priority, int policy)
{
    begin_nft(NFT_MSG_NEWCHAIN, NLM_F_CREATE);
    put_text(NFTA_CHAIN_TABLE, TABLE);
    put_text(NFTA_CHAIN_NAME, name);
    struct nlattr *where = open_list(NFTA_CHAIN_HOOK);
    put_number(NFTA_HOOK_HOOKNUM, hook);
    put_number(NFTA_HOOK_PRIORITY, priority);
    close_list(where);
    put_number(NFTA_CHAIN_POLICY, policy);
    put_text(NFTA_CHAIN_TYPE, "filter");
    end_message();
}

static struct nlattr *expressions, *element, *details;

static void begin_rule(const char *chain)
{
    begin_nft(NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND);
    put_text(NFTA_RULE_TABLE, TABLE);
    put_text(NFTA_RULE_CHAIN, chain);
    expressions = open_list(NFTA_RULE_EXPRESSIONS);
}

static void end_rule(void)
{
    close_list(expressions);
    end_message();
}

static void begin_expression(const char *name)
{
    element = open_list(NFTA_LIST_ELEM);
    put_text(NFTA_EXPR_NAME, name);
    details = open_list(NFTA_EXPR_DATA);
}

static void end_expression(void)
{
    close_list(details);
    close_list(element);
}

static void compare(int how, const void *with, size_t size)
{
    begin_expression("cmp");
    put_number(NFTA_CMP_SREG, NFT_REG_1);
    put_number(NFTA_CMP_OP, how);
    put_value(NFTA_CMP_DATA, with, size);
    end_expression();
}

static void load_meta(int key)
{
    begin_expression("meta");
    put_number(NFTA_META_KEY, key);
    put_number(NFTA_META_DREG, NFT_REG_1);
    end_expression();
}

static void load_bytes(int base, int offset, int size)
{
    begin_expression("payload");
    put_number(NFTA_PAYLOAD_DREG, NFT_REG_1);
    put_number(NFTA_PAYLOAD_BASE, base);
    put_number(NFTA_PAYLOAD_OFFSET, offset);
    put_number(NFTA_PAYLOAD_LEN, size);
    end_expression();
}

static void keep_bits(const void *mask, int size)
{
    static const char nothing[16];
    begin_expression("bitwise");
    put_number(NFTA_BITWISE_SREG, NFT_REG_1);
    put_number(NFTA_BITWISE_DREG, NFT_REG_1);
    put_number(NFTA_BITWISE_LEN, size);
    put_value(NFTA_BITWISE_MASK, mask, (size_t)size);
    put_value(NFTA_BITWISE_XOR, nothing, (size_t)size);
    end_expression();
}

static void where_device(int key)
{
    unsigned index = LOOPBACK;
    load_meta(key);
    compare(NFT_CMP_EQ, &index, sizeof index);
}

static void where_byte(int key, unsigned char is)
{
    load_meta(key);
    compare(NFT_CMP_EQ, &is, sizeof is);
}

static void and_accept(void)
{
    begin_expression("immediate");
    put_number(NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
    struct nlattr *value = open_list(NFTA_IMMEDIATE_DATA), *verdict = open_list(NFTA_DATA_VERDICT);
    put_number(NFTA_VERDICT_CODE, NF_ACCEPT);
    close_list(verdict);
    close_list(value);
    end_expression();
}

/* Whoever tries it is told at once: "No route to host". */
static void and_reject(void)
{
    begin_expression("reject");
    put_number(NFTA_REJECT_TYPE, NFT_REJECT_ICMPX_UNREACH);
    unsigned char code = NFT_REJECT_ICMPX_ADMIN_PROHIBITED;
    put(NFTA_REJECT_ICMP_CODE, &code, sizeof code);
    end_expression();
}

/* --- Networks ------------------------------------------------------------------------------------------------- */

struct network {
    bool six;
    unsigned char address[16], mask[16];
};

static int width(const struct network *of) { return of->six ? 16 : 4; }

static void where_sent_to(const struct network *network)
{
    unsigned char masked[16];
    for (int i = 0; i < width(network); i++) masked[i] = network->address[i] & network->mask[i];
    where_byte(NFT_META_NFPROTO, network->six ? NFPROTO_IPV6 : NFPROTO_IPV4);
    load_bytes(NFT_PAYLOAD_NETWORK_HEADER, network->six ? 24 : 16, width(network));
    keep_bits(network->mask, width(network));
    compare(NFT_CMP_EQ, masked, (size_t)width(network));
}

static bool parse(const char *text, struct network *network)
{
    char address[INET6_ADDRSTRLEN];
    const char *slash = strchrnul(text, '/');
    size_t size = (size_t)(slash - text);
    if (size >= sizeof address) return false;
    memcpy(address, text, size);
    address[size] = '\0';
    memset(network, 0, sizeof *network);
    network->six = strchr(address, ':') != NULL;
    if (inet_pton(network->six ? AF_INET6 : AF_INET, address, network->address) != 1) return false;
    char *end = "";
    long bits = *slash ? strtol(slash + 1, &end, 10) : 8 * width(network);
    if (*end || bits < 0 || bits > 8 * width(network) || (*slash && !slash[1])) return false;
    for (long bit = 0; bit < bits; bit++) network->mask[bit / 8] |= (unsigned char)(0x80 >> bit % 8);
    return true;
}

static bool read_address(const struct sockaddr *from, unsigned char *into)
{
    if (from && from->sa_family == AF_INET)
        memcpy(into, &((const struct sockaddr_in *)(const void *)from)->sin_addr, 4);
    else if (from && from->sa_family == AF_INET6)
        memcpy(into, &((const struct sockaddr_in6 *)(const void *)from)->sin6_addr, 16);
    else
        return false;
    return true;
}

/* --- Rules ---------------------------------------------------------------------------------------------------- */

static void add_network(const struct network *network, bool may)
{
    begin_rule("output");
    where_sent_to(network);
    if (may)
        and_accept();
    else
        and_reject();
    end_rule();
}

static void add_link(void)
{
    struct ifaddrs *all, *each;
    if (getifaddrs(&all) != 0) refused("its own addresses can't be had");
    for (each = all; each; each = each->ifa_next) {
        struct network network = {0};
        network.six = each->ifa_addr && each->ifa_addr->sa_family == AF_INET6;
        bool known = read_address(each->ifa_addr, network.address) && read_address(each->ifa_netmask, network.mask);
        if (known && !(each->ifa_flags & IFF_LOOPBACK)) add_network(&network, false);
    }
    freeifaddrs(all);
}

static void add_name_server(const struct network *server, unsigned char protocol)
{
    unsigned short port = htons(DNS);
    begin_rule("output");
    where_sent_to(server);
    where_byte(NFT_META_L4PROTO, protocol);
    load_bytes(NFT_PAYLOAD_TRANSPORT_HEADER, 2, sizeof port);
    compare(NFT_CMP_EQ, &port, sizeof port);
    and_accept();
    end_rule();
}

static void add_name_servers(void)
{
    char line[256], address[INET6_ADDRSTRLEN];
    FILE *file = fopen("/etc/resolv.conf", "re");
    struct network server;
    while (file && fgets(line, sizeof line, file)) {
        if (sscanf(line, "nameserver %45[0-9a-fA-F:.]", address) != 1 || !parse(address, &server)) continue;
        add_name_server(&server, IPPROTO_UDP);
        add_name_server(&server, IPPROTO_TCP);
    }
    if (file) fclose(file);
}

static void add_rule(const char *word)
{
    struct network network;
    if (strcmp(word, "+dns") == 0)
        add_name_servers();
    else if (strcmp(word, "-link") == 0)
        add_link();
    else if ((*word == '+' || *word == '-') && parse(word + 1, &network))
        add_network(&network, *word == '+');
    else
        wrong_call("no rule", word);
}

/* What the kernel must say and hear for IPv6 to work at all; a task can't send these itself. */
static void add_neighbours(const char *chain, unsigned char from, unsigned char to)
{
    begin_rule(chain);
    where_byte(NFT_META_NFPROTO, NFPROTO_IPV6);
    where_byte(NFT_META_L4PROTO, IPPROTO_ICMPV6);
    load_bytes(NFT_PAYLOAD_TRANSPORT_HEADER, 0, 1);
    compare(NFT_CMP_GTE, &from, 1);
    compare(NFT_CMP_LTE, &to, 1);
    and_accept();
    end_rule();
}

static void add_loopback(const char *chain, int key)
{
    begin_rule(chain);
    where_device(key);
    and_accept();
    end_rule();
}

/* So that what tasks say to each other fills no table of the kernel's. */
static void add_untracked(const char *chain, int hook, int key)
{
    enum { BEFORE_TRACKING = -300 };
    add_chain(chain, hook, BEFORE_TRACKING, NF_ACCEPT);
    begin_rule(chain);
    where_device(key);
    begin_expression("notrack");
    end_expression();
    end_rule();
}

static void add_answers(void)
{
    static const unsigned nothing;
    unsigned wanted = NF_CT_STATE_BIT(IP_CT_ESTABLISHED) | NF_CT_STATE_BIT(IP_CT_RELATED);
    begin_rule("input");
    begin_expression("ct");
    put_number(NFTA_CT_KEY, NFT_CT_STATE);
    put_number(NFTA_CT_DREG, NFT_REG_1);
    end_expression();
    keep_bits(&wanted, sizeof wanted);
    compare(NFT_CMP_NEQ, &nothing, sizeof nothing);
    and_accept();
    end_rule();
}

static void compose(char **rules)
{
    begin_message(NFNL_MSG_BATCH_BEGIN, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES);
    end_message();
    begin_nft(NFT_MSG_NEWTABLE, NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK);
    put_text(NFTA_TABLE_NAME, TABLE);
    end_message();

    add_untracked("untracked-in", NF_INET_PRE_ROUTING, NFT_META_IIF);
    add_untracked("untracked-out", NF_INET_LOCAL_OUT, NFT_META_OIF);

    add_chain("forward", NF_INET_FORWARD, 0, NF_DROP);
    add_chain("input", NF_INET_LOCAL_IN, 0, NF_DROP);
    add_loopback("input", NFT_META_IIF);
    add_answers();
    add_neighbours("input", ND_NEIGHBOR_SOLICIT, ND_NEIGHBOR_ADVERT);

    add_chain("output", NF_INET_LOCAL_OUT, 0, NF_DROP);
    add_loopback("output", NFT_META_OIF);
    add_neighbours("output", MLD_LISTENER_QUERY, 143 /* the listener's report, version 2 */);
    for (; *rules; rules++) add_rule(*rules);
    begin_rule("output");
    and_reject();
    end_rule();

    begin_message(NFNL_MSG_BATCH_END, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES);
    end_message();
}

/* The kernel works while `send` lasts: its answers are there afterwards. */
static void commit(void)
{
    static char answer[1 << 16];
    int size = MOST_BYTES, handle = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
    if (handle < 0) refused("the kernel has no packet filter (nf_tables)");
    setsockopt(handle, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size);
    if (send(handle, batch, used, 0) != (ssize_t)used) refused("the rules can't be handed over");
    bool done = false;
    ssize_t got;
    while ((got = recv(handle, answer, sizeof answer, MSG_DONTWAIT)) > 0) {
        unsigned left = (unsigned)got;
        for (struct nlmsghdr *each = (void *)answer; NLMSG_OK(each, left); each = NLMSG_NEXT(each, left)) {
            if (each->nlmsg_type != NLMSG_ERROR) continue;
            errno = -((struct nlmsgerr *)NLMSG_DATA(each))->error;
            if (errno) refused("the kernel takes no packet rules (nf_tables with ct and reject)");
            done = true;
        }
    }
    close(handle);
    if (!done) refused("the kernel has not confirmed the rules");
}

static void lay_down(unsigned uid)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[2] = {0};
    if (setgroups(0, NULL) != 0 || setresgid(uid, uid, uid) != 0 || setresuid(uid, uid, uid) != 0)
        refused("it can't become another user");
    if (syscall(SYS_capset, &header, none) != 0) refused("capabilities can't be laid down");
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) refused("new privileges can't be ruled out");
}

static unsigned patience;

static void leave(int signal)
{
    (void)signal;
    _exit(0);
}

static void stay(int signal)
{
    (void)signal;
    alarm(patience);
}

static unsigned long number(const char *word)
{
    char *end;
    unsigned long found = strtoul(word, &end, 10);
    if (!found || found > INT_MAX || *end) wrong_call("not a number from 1 on", word);
    return found;
}

int main(int count, char **words)
{
    if (count < 3) wrong_call("usage", "netguard UID PATIENCE RULE...");
    unsigned uid = (unsigned)number(words[1]);
    patience = (unsigned)number(words[2]);
    signal(SIGTERM, leave);
    signal(SIGALRM, leave);
    signal(SIGHUP, stay);
    alarm(patience);
    compose(words + 3);
    commit();
    lay_down(uid);
    if (write(1, "guarded\n", 8) != 8) refused("nobody can be told");
    for (;;) pause();
}
