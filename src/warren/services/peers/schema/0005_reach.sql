-- Nobody is believed about a network nearer to this node than the one he speaks from: warren/core/reach.py has the
-- rule and the numbers of distances. `peer_addresses` holds what is believed, and where a peer was met.

-- From how near the record was told: 1 this machine, 2 the link, 3 the local network, 4 the internet.
ALTER TABLE peer_records ADD COLUMN told_from INTEGER NOT NULL DEFAULT 4;

-- Of what is here already nobody knows who told it: only what anybody may tell is still believed, and what the user
-- gave (contacts, imported peers) or where the peer was met. In multiaddrs 04 begins an IPv4 address, 29 an IPv6 one.
DELETE FROM peer_addresses
WHERE proven_at IS NULL
  AND NOT EXISTS (SELECT 1 FROM peers WHERE id = peer AND (name_key IS NOT NULL OR kept))
  AND NOT (
    hex(address) GLOB '29[23]*'                -- 2000::/3
    OR hex(address) GLOB '04*'
       AND hex(address) NOT GLOB '0400*'       -- 0.0.0.0/8
       AND hex(address) NOT GLOB '040A*'       -- 10.0.0.0/8
       AND hex(address) NOT GLOB '0464[4-7]*'  -- 100.64.0.0/10
       AND hex(address) NOT GLOB '047F*'       -- 127.0.0.0/8
       AND hex(address) NOT GLOB '04A9FE*'     -- 169.254.0.0/16
       AND hex(address) NOT GLOB '04AC1*'      -- 172.16.0.0/12
       AND hex(address) NOT GLOB '04C0A8*'     -- 192.168.0.0/16
       AND hex(address) NOT GLOB '04[EF]*'     -- 224.0.0.0/4, 240.0.0.0/4
  );
