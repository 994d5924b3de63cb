# Starts the broker whose folder came with the image: kafka.sh NETWORK-THREADS ADDRESS. At this address
# consumers find it, be it the address of another host that passes on what comes there.
set -e
rm -rf /www/kafka
cp -r /built/kafka/data /www/kafka
cat /srv/key.pem /srv/cert.pem > /srv/kafka.pem
cat > /srv/kafka.properties <<END
process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=127.0.0.1:19093
listeners=PLAINTEXT://0.0.0.0:19092,SSL://0.0.0.0:19094,CONTROLLER://127.0.0.1:19093
advertised.listeners=PLAINTEXT://$2:19092,SSL://$2:19094,CONTROLLER://127.0.0.1:19093
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,SSL:SSL,CONTROLLER:PLAINTEXT
log.dirs=/www/kafka
num.network.threads=$1
ssl.keystore.type=PEM
ssl.keystore.location=/srv/kafka.pem
END
exec java -Xmx384m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -cp '/built/kafka/lib/*' \
    kafka.Kafka /srv/kafka.properties
