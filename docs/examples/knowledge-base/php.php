<?php

$request = curl_init('https://parley.example/api/v1/knowledge-bases');
curl_setopt_array($request, [
    CURLOPT_RETURNTRANSFER => true,
    CURLOPT_FAILONERROR => true,
    CURLOPT_HTTPHEADER => [
        'Authorization: Bearer ' . getenv('PARLEY_API_KEY'),
        'Content-Type: application/json',
    ],
    CURLOPT_POSTFIELDS => json_encode(['name' => 'Help center']),
]);
$answer = json_decode(curl_exec($request), true);
echo $answer['data']['id'], "\n";
